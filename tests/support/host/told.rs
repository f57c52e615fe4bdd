//! What the library tells, and how it is listened to.

use super::*;

/// What the library tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    Log { level: i32, text: String },
    Status { state: i32, text: String },
    Changed { key: String, old: Option<i64>, new: Option<i64> },
    Value { key: String, listener: u64, old: Value, new: Value },
    BigSegments(BigSegments),
    Credentials { reason: String, user: Option<String> },
    Wake,
}

/// How the big-segment store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigSegments {
    pub available: bool,
    pub stale: bool,
    pub last_sync_ms: Option<i64>,
}

/// A notice and how many were dropped before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Polled {
    pub notice: Notice,
    pub dropped: u32,
}

impl Client {
    /// Says whether the host acts upon changes of flags.
    pub fn subscribe(&self, to_flag_changes: bool) -> Result<(), Failure> {
        let wants = u32::from(to_flag_changes) * FLAGSTONE_SUBSCRIBE_FLAG_CHANGES;
        // SAFETY: a live client.
        call(|error| unsafe { flagstone_client_subscribe(self.handle, wants, error) })
    }

    /// Listens to a flag for user `ada`.
    #[track_caller]
    pub fn listen(&self, key: &str) -> u64 {
        let (key, key_len) = pointer(key);
        let mut listener = 0;
        // SAFETY: live handles, a readable text and a writable place.
        call(|error| unsafe {
            flagstone_client_listen(self.handle, self.user.0, key, key_len, &raw mut listener, error)
        })
        .expect("the listener is taken");
        listener
    }

    pub fn unlisten(&self, listener: u64) -> Result<(), Failure> {
        // SAFETY: a live client.
        call(|error| unsafe { flagstone_client_unlisten(self.handle, listener, error) })
    }

    pub fn wake(&self) {
        // SAFETY: a live client.
        unsafe { flagstone_wake(self.handle) };
    }

    /// Takes the oldest notice; the status when there is none.
    pub fn poll(&self, timeout_ms: u32) -> Result<Polled, i32> {
        let mut event = empty_event();
        // SAFETY: a live client and an event of the right size.
        let status = unsafe { flagstone_poll_event(self.handle, timeout_ms, &raw mut event) };
        if status != OK {
            return Err(status);
        }
        let (text, extra) = (owned(event.text), owned(event.extra));
        let (kind, number, dropped) = (event.kind, event.level_or_state, event.dropped);
        assert!(event.unix_ms > 1_700_000_000_000, "{}", event.unix_ms);
        // SAFETY: written by the library.
        unsafe { flagstone_event_clear(&raw mut event) };
        let notice = match kind {
            0 => Notice::Log { level: number, text },
            1 => Notice::Status { state: number, text },
            2 => {
                let extra: Value = serde_json::from_str(&extra).expect("versions are JSON");
                Notice::Changed { key: text, old: extra["old_version"].as_i64(), new: extra["new_version"].as_i64() }
            }
            3 => {
                let extra: Value = serde_json::from_str(&extra).expect("the status is JSON");
                let is = |name: &str| extra[name].as_bool().expect("a bool");
                let last_sync_ms = extra["last_sync_ms"].as_i64();
                Notice::BigSegments(BigSegments { available: is("available"), stale: is("stale"), last_sync_ms })
            }
            4 => Notice::Wake,
            5 => {
                let mut extra: Value = serde_json::from_str(&extra).expect("values are JSON");
                let listener = extra["listener"].as_u64().expect("a listener");
                Notice::Value { key: text, listener, old: extra["old"].take(), new: extra["new"].take() }
            }
            6 => {
                let extra: Value = serde_json::from_str(&extra).expect("the user is JSON");
                Notice::Credentials { reason: text, user: extra["user"].as_str().map(str::to_owned) }
            }
            other => panic!("unknown kind {other}"),
        };
        Ok(Polled { notice, dropped })
    }

    /// Everything that waits, without waiting.
    pub fn drain(&self) -> Vec<Notice> {
        std::iter::from_fn(|| self.poll(0).ok()).map(|polled| polled.notice).collect()
    }

    /// Waits for the notice of a state; gives all notices up to it. A state is there a moment before its notice.
    #[track_caller]
    pub fn hears_state(&self, state: i32) -> Vec<Notice> {
        let mut heard = Vec::new();
        eventually(&format!("state {state} is told"), || {
            while let Ok(polled) = self.poll(0) {
                heard.push(polled.notice);
                if matches!(heard.last(), Some(Notice::Status { state: told, .. }) if *told == state) {
                    return true;
                }
            }
            false
        });
        heard
    }

    /// Waits for the change of a flag, past all other notices, and gives its versions.
    #[track_caller]
    pub fn hears_change_of(&self, flag: &str) -> (Option<i64>, Option<i64>) {
        let mut heard = Vec::new();
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            match self.poll(100) {
                Ok(Polled { notice: Notice::Changed { key, old, new }, .. }) if key == flag => return (old, new),
                Ok(polled) => heard.push(polled.notice),
                Err(TIMEOUT) => {}
                Err(status) => panic!("poll gives {status}"),
            }
        }
        panic!("no change of {flag}, but {heard:?}");
    }
}

fn empty_event() -> flagstone_event {
    let text = || flagstone_str { ptr: ptr::null(), len: 0 };
    flagstone_event {
        struct_size: u32::try_from(size_of::<flagstone_event>()).unwrap(),
        kind: 0,
        level_or_state: 0,
        dropped: 0,
        unix_ms: 0,
        text: text(),
        extra: text(),
        owner: ptr::null_mut(),
    }
}
