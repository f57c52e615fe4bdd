//! Evaluations: by key and by prepared flags.

use super::*;

/// The result of an evaluation, copied.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    /// The text of a string value; `None` when there is no value.
    pub value: Option<String>,
    pub reason: i32,
    pub error_kind: i32,
    pub variation: i32,
    pub stale: bool,
    pub prerequisite: String,
    pub big_segments: i32,
}

impl Detail {
    /// The value, or the name of the error, in one word.
    pub fn word(&self) -> String {
        match &self.value {
            Some(value) => value.clone(),
            None => match self.error_kind {
                0 => "NONE",
                1 => "CLIENT_NOT_READY",
                2 => "FLAG_NOT_FOUND",
                3 => "USER_NOT_SPECIFIED",
                4 => "MALFORMED_FLAG",
                5 => "WRONG_TYPE",
                6 => "EXCEPTION",
                _ => "UNKNOWN",
            }
            .to_owned(),
        }
    }
}

impl Client {
    /// Evaluates for `context`; any type is taken as JSON text, strings as they are.
    pub fn detail_for(&self, context: &Context, key: &str) -> Detail {
        let (key, key_len) = pointer(key);
        let mut detail = empty_detail();
        let any = flagstone_type::FLAGSTONE_TYPE_NONE as i32;
        let detail_place = &raw mut detail;
        // SAFETY: live handles, readable texts, a detail of the right size.
        let status =
            unsafe { flagstone_variation(self.handle, context.0, key, key_len, any, ptr::null(), 0, detail_place) };
        assert_eq!(status, OK);
        copied(detail)
    }

    /// Evaluates for user `ada`.
    pub fn detail(&self, key: &str) -> Detail {
        self.detail_for(&self.user, key)
    }

    /// The value for user `ada`, or the name of the error.
    pub fn ask(&self, key: &str) -> String {
        self.detail(key).word()
    }

    /// Evaluates for a context given as JSON.
    pub fn detail_for_json(&self, context: &str, key: &str) -> Detail {
        let mut handle: *mut flagstone_context = ptr::null_mut();
        let (json, len) = pointer(context);
        // SAFETY: a readable text and writable places.
        call(|error| unsafe { flagstone_context_from_json(json, len, &raw mut handle, error) }).expect("a context");
        self.detail_for(&Context(handle), key)
    }

    /// The bool value for user `ada`.
    pub fn bool(&self, key: &str, default: bool) -> bool {
        self.bool_for(&self.user, key, default)
    }

    /// The bool value for `context`.
    pub fn bool_for(&self, context: &Context, key: &str, default: bool) -> bool {
        let (key, key_len) = pointer(key);
        // SAFETY: live handles and a readable text.
        unsafe { flagstone_bool_variation(self.handle, context.0, key, key_len, i32::from(default)) == 1 }
    }

    /// Prepares a flag of any type.
    pub fn prepare(&self, key: &str) -> Result<Prepared, Failure> {
        let mut flag: *mut flagstone_flag = ptr::null_mut();
        let ((key, key_len), any) = (pointer(key), flagstone_type::FLAGSTONE_TYPE_NONE as i32);
        let place = &raw mut flag;
        // SAFETY: a live client, readable texts, writable places.
        call(|error| unsafe { flagstone_flag_new(self.handle, key, key_len, any, ptr::null(), 0, place, error) })?;
        Ok(Prepared { handle: flag, user: Context::user("ada") })
    }

    /// Waits until the flag has this value for user `ada`, evaluating all the time.
    #[track_caller]
    pub fn serves(&self, key: &str, value: &str) {
        let mut last = String::new();
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            last = self.ask(key);
            if last == value {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{key} gives {last}, not {value}: {:?}", self.try_status());
    }
}

/// A prepared flag.
pub struct Prepared {
    handle: *mut flagstone_flag,
    user: Context,
}

impl Prepared {
    /// The value for user `ada`, or the name of the error.
    pub fn ask(&self) -> String {
        let mut detail = empty_detail();
        // SAFETY: live handles and a detail of the right size.
        assert_eq!(unsafe { flagstone_flag_detail(self.handle, self.user.0, &raw mut detail) }, OK);
        copied(detail).word()
    }

    /// The never-waiting form: -1 when something would have to be read first.
    pub fn bool_try(&self) -> i32 {
        // SAFETY: live handles.
        unsafe { flagstone_flag_bool_try(self.handle, self.user.0) }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_flag_release(self.handle) };
    }
}
