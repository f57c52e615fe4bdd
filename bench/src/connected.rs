//! What a data source delivers: a patch among many flags, a full data set on its way to memory and Redis, and how
//! evaluations fare while full data sets are put in force. Depends on `flagstone` and `timing`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use flagdata::{Options, PrivateRedis, Shape, generate, store};
use redis::Connection;
use serde_json::Value;

use crate::Outcome;
use crate::flagstone::{Client, Context, TestData};
use crate::report::{Budget, Row, milliseconds, nanoseconds, times};
use crate::timing::{median, quantile};

const FLAGS: usize = 10_000;
/// Longest time for a patch to be served.
const PATCH: f64 = 1e-3;
/// Greatest factor of a full data set over parsing and writing it without looking at it.
const PUT_FACTOR: f64 = 2.0;
/// Greatest factor of the 99.9th percentile over the median while full data sets come.
const TAIL_FACTOR: f64 = 10.0;
/// Greatest factor of the slowest evaluation over that of an equally long run without.
const SLOWEST_FACTOR: f64 = 2.0;

/// All rows.
pub fn measure(redis: &PrivateRedis, quick: bool) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for bytes in [200, 5_000] {
        rows.extend(patch(redis, bytes, if quick { 20 } else { 400 })?);
    }
    rows.push(put(redis, if quick { 1 } else { 9 })?);
    rows.extend(meanwhile(Duration::from_millis(if quick { 600 } else { 10_000 }))?);
    Ok(rows)
}

fn flags(bytes: usize) -> flagdata::DataSet {
    generate(&Options { flags: FLAGS, bytes: Some(bytes), shape: Shape::Rule, ..Options::default() })
}

/// A patch of one small flag among many: until it is served, and until Redis has it.
fn patch(redis: &PrivateRedis, bytes: usize, rounds: usize) -> Outcome<Vec<Row>> {
    let (data, prefix) = (TestData::new(), format!("patch-{bytes}"));
    for flag in flags(bytes).flags.values() {
        data.set_flag(&flag.to_string())?;
    }
    let url = redis.url();
    let options = [("redis.url", url.as_str()), ("redis.prefix", prefix.as_str()), ("store.write", "true")];
    let _client = Client::start_with(&options, Some(&data))?;
    let mut connection = redis.connect()?;
    wait_for_inited(&mut connection, &prefix)?;
    let (mut served, mut written) = (Vec::new(), Vec::new());
    for version in 1..=rounds {
        let json = format!(
            r#"{{"key":"patched","version":{version},"on":true,"variations":[true],"fallthrough":{{"variation":0}}}}"#
        );
        let start = Instant::now();
        data.set_flag(&json)?;
        served.push(start.elapsed().as_secs_f64());
        while redis::cmd("HGET")
            .arg(store::features_key(&prefix))
            .arg("patched")
            .query::<Option<String>>(&mut connection)?
            .is_none_or(|text| text != json)
        {}
        written.push(start.elapsed().as_secs_f64());
        thread::sleep(Duration::from_millis(2));
    }
    let (served, written) = (median(served), median(written));
    let what = format!("patch among {FLAGS} flags of {bytes} bytes");
    Ok(vec![
        Row::new(&format!("{what}, served"), milliseconds(served)).budget(Budget::AtMost(served, PATCH, "1 ms")),
        Row::new(&format!("{what}, in Redis"), milliseconds(written)),
    ])
}

/// A full data set from a file, through memory to Redis, beside parsing the file into a tree and writing that.
fn put(redis: &PrivateRedis, rounds: usize) -> Outcome<Row> {
    let folder = Folder::new()?;
    let path = folder.file("data.json");
    let data = flags(2_000);
    fs::write(&path, data.to_json().to_string())?;
    let size = fs::metadata(&path)?.len() as f64;
    let mut connection = redis.connect()?;
    let (mut puts, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        redis::cmd("FLUSHALL").exec(&mut connection)?;
        let start = Instant::now();
        let client = Client::start_with(
            &[
                ("redis.url", &redis.url()),
                ("redis.prefix", "put"),
                ("source.kind", "file"),
                ("file.paths", &paths(&path)),
                ("store.write", "true"),
            ],
            None,
        )?;
        wait_for_inited(&mut connection, "put")?;
        let took = start.elapsed().as_secs_f64();
        drop(client);
        redis::cmd("FLUSHALL").exec(&mut connection)?;
        let began = Instant::now();
        write_bare(redis, &fs::read_to_string(&path)?)?;
        // The first round pays for growing the heap and the server's buffers.
        if round > 0 {
            puts.push(took);
            bare.push(began.elapsed().as_secs_f64());
        }
    }
    let (put, bare) = (median(puts), median(bare));
    Ok(Row::new(
        &format!("full data set of {FLAGS} flags ({:.0} MB), until Redis has it", size / 1e6),
        milliseconds(put),
    )
    .beside("tree and bare pipeline", milliseconds(bare), times(put / bare))
    .budget(Budget::AtMost(put / bare, PUT_FACTOR, "2x")))
}

/// Parses into a tree and writes in one transaction, as a program would that knows nothing of flags.
fn write_bare(redis: &PrivateRedis, text: &str) -> Outcome<()> {
    let tree: Value = serde_json::from_str(text)?;
    let mut pipeline = redis::pipe();
    pipeline.atomic();
    for (part, hash) in [("flags", store::features_key("bare")), ("segments", store::segments_key("bare"))] {
        pipeline.cmd("DEL").arg(&hash);
        for (key, item) in tree[part].as_object().into_iter().flatten() {
            pipeline.cmd("HSET").arg(&hash).arg(key).arg(item.to_string());
        }
    }
    pipeline.cmd("SET").arg(store::inited_key("bare")).arg("");
    pipeline.exec(&mut redis.connect()?)?;
    Ok(())
}

/// Evaluations while one full data set after the other is put in force, beside a run of the same length without.
fn meanwhile(length: Duration) -> Outcome<Vec<Row>> {
    let folder = Folder::new()?;
    let path = folder.file("data.json");
    let mut data = flags(2_000);
    fs::write(&path, data.to_json().to_string())?;
    let key = data.flags.keys().next().cloned().ok_or("there is no flag")?;
    let client = Client::start_with(
        &[("source.kind", "file"), ("file.paths", &paths(&path)), ("file.auto_reload", "true")],
        None,
    )?;
    let context = Context::from_json(flagdata::CONTEXT_JSON)?;
    let quiet = evaluate_for(&client, &context, &key, length);
    let done = AtomicBool::new(false);
    let (busy, puts) = thread::scope(|scope| -> Outcome<(Vec<f64>, usize)> {
        let writer = scope.spawn(|| replace_until(&done, &folder, &path, &mut data));
        let busy = evaluate_for(&client, &context, &key, length);
        done.store(true, Relaxed);
        let puts = writer.join().map_err(|_| "the writer failed")?.map_err(|error| error.to_string())?;
        Ok((busy, puts))
    })?;
    let (typical, slowest_quiet, slowest) = (median(busy.clone()), quantile(quiet, 1.0), quantile(busy.clone(), 1.0));
    let tail = quantile(busy, 0.999);
    Ok(vec![
        Row::new(&format!("p99.9 of evaluations while {puts} full data sets came"), nanoseconds(tail))
            .beside("their median", nanoseconds(typical), times(tail / typical))
            .budget(Budget::AtMost(tail / typical, TAIL_FACTOR, "10x")),
        Row::new("slowest evaluation while full data sets came", milliseconds(slowest / 1e9))
            .beside("slowest without", milliseconds(slowest_quiet / 1e9), times(slowest / slowest_quiet))
            .budget(Budget::AtMost(slowest / slowest_quiet, SLOWEST_FACTOR, "2x")),
    ])
}

/// Nanoseconds of each evaluation, the clock's own cost included.
fn evaluate_for(client: &Client, context: &Context, key: &str, length: Duration) -> Vec<f64> {
    let end = Instant::now() + length;
    let mut times = Vec::with_capacity(usize::try_from(length.as_micros()).unwrap_or(usize::MAX).min(40_000_000));
    loop {
        let start = Instant::now();
        std::hint::black_box(client.bool_variation(context, key));
        let took = start.elapsed();
        // What does not fit is not needed: growing the list would be measured.
        if times.len() < times.capacity() {
            times.push(took.as_nanos() as f64);
        }
        if start >= end {
            return times;
        }
    }
}

/// Writes a data set with other versions again and again, so that every flag is parsed anew.
fn replace_until(
    done: &AtomicBool,
    folder: &Folder,
    path: &Path,
    data: &mut flagdata::DataSet,
) -> Result<usize, std::io::Error> {
    let mut version = 1_000_000;
    let mut puts = 0;
    while !done.load(Relaxed) {
        version += 1;
        for flag in data.flags.values_mut() {
            flag["version"] = version.into();
        }
        let beside = folder.file("next.json");
        fs::write(&beside, data.to_json().to_string())?;
        fs::rename(&beside, path)?;
        puts += 1;
        thread::sleep(Duration::from_millis(700));
    }
    Ok(puts)
}

fn paths(path: &Path) -> String {
    Value::from(vec![path.display().to_string()]).to_string()
}

fn wait_for_inited(connection: &mut Connection, prefix: &str) -> Outcome<()> {
    let end = Instant::now() + Duration::from_secs(60);
    while !redis::cmd("EXISTS").arg(store::inited_key(prefix)).query::<bool>(connection)? {
        if Instant::now() > end {
            return Err("the data set was not written within a minute".into());
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// A folder that is removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, std::io::Error> {
        let path =
            std::env::temp_dir().join(format!("flagstone-bench-{}-{:?}", std::process::id(), thread::current().id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is harmless.
        let _ = fs::remove_dir_all(&self.0);
    }
}
