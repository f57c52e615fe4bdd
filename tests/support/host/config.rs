//! Options and test data.

use super::*;

/// Options.
pub struct Config(*mut flagstone_config);

impl Config {
    /// Nothing set.
    pub fn new() -> Self {
        Self(flagstone_config_new())
    }

    /// For `server`, by its plain address.
    pub fn of(server: &RedisServer) -> Self {
        Self::at(&server.url())
    }

    /// For the Redis at `url`. A server that a busy machine keeps from answering for a while is not away: a test of an
    /// outage that is noticed by silence sets shorter times.
    pub fn at(url: &str) -> Self {
        let config = Self::new().with("redis.url", url);
        config.with("redis.connect_timeout_ms", "15000").with("redis.command_timeout_ms", "15000")
    }

    /// Sets an option.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let ((name, name_len), (value, value_len)) = (pointer(name), pointer(value));
        // SAFETY: a live config and readable texts.
        call(|error| unsafe { flagstone_config_set(self.0, name, name_len, value, value_len, error) })
    }

    /// Sets an option that is right.
    #[track_caller]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value).expect("the option is right");
        self
    }

    /// Takes flags and segments from `data`.
    pub fn with_data(self, data: &TestData) -> Self {
        // SAFETY: live handles.
        call(|error| unsafe { flagstone_config_set_test_data(self.0, data.0, error) }).expect("test data fit");
        self
    }

    /// Makes a client.
    pub fn try_client(&self) -> Result<Client, Failure> {
        let mut client: *mut flagstone_client = ptr::null_mut();
        // SAFETY: a live config and writable places.
        call(|error| unsafe { flagstone_client_new(self.0, &raw mut client, error) })?;
        Ok(Client { handle: client, user: Context::user("ada") })
    }

    /// Makes a client that is not started.
    #[track_caller]
    pub fn client(&self) -> Client {
        self.try_client().expect("the options fit together")
    }

    /// Makes a client and waits until it is ready and has a state, which it says a moment later.
    #[track_caller]
    pub fn started(&self) -> Client {
        let client = self.client();
        client.start(PATIENCE_MS).expect("the client becomes ready");
        eventually("the client has a state", || client.state() != INIT);
        client
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_config_free(self.0) };
    }
}

/// Flags and segments that a test sets.
pub struct TestData(*mut flagstone_test_data);

// SAFETY: the header allows test data on any number of threads.
unsafe impl Send for TestData {}

// SAFETY: as above.
unsafe impl Sync for TestData {}

impl TestData {
    /// Nothing in it.
    pub fn new() -> Self {
        Self(flagstone_test_data_new())
    }

    /// Sets an item; `kind` is 0 for flags and 1 for segments.
    pub fn try_set(&self, kind: i32, json: &str) -> Result<(), Failure> {
        let (json, len) = pointer(json);
        // SAFETY: live data and a readable text.
        call(|error| unsafe { flagstone_test_data_set_json(self.0, kind, json, len, error) })
    }

    /// Sets a flag.
    #[track_caller]
    pub fn set_flag(&self, json: &str) {
        self.try_set(0, json).expect("a flag");
    }

    /// Sets a segment.
    #[track_caller]
    pub fn set_segment(&self, json: &str) {
        self.try_set(1, json).expect("a segment");
    }

    /// Deletes a flag.
    pub fn delete_flag(&self, key: &str) {
        let (key, len) = pointer(key);
        // SAFETY: live data and a readable text.
        call(|error| unsafe { flagstone_test_data_delete(self.0, 0, key, len, error) }).expect("a deletion");
    }

    /// Pretends a state of the source.
    pub fn set_status(&self, state: i32, kind: i32, status: i32, message: &str) -> Result<(), Failure> {
        let (text, len) = pointer(message);
        // SAFETY: live data and a readable text.
        call(|error| unsafe { flagstone_test_data_set_status(self.0, state, kind, status, text, len, error) })
    }
}

impl Drop for TestData {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_test_data_release(self.0) };
    }
}
