//! Where passwords come from a file: it is read at each connect and now and then, and what was good last stays in use where it
//! cannot be. Depends on `glance` and `password_file`.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::glance::Lender;
use super::{Credentials, LONGEST_PASSWORD, LoginSource, password_file};

/// What was found in a file, or why nothing was, for people.
pub(super) type Found = Result<Zeroizing<String>, String>;

/// Ends a look, however that goes.
struct Looking(Arc<Credentials>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.glance.end();
    }
}

impl Credentials {
    /// The file is read on threads that are lent, for which nobody waits long.
    pub fn set_lender(&self, lender: Lender) {
        self.glance.set_lender(lender);
    }

    /// Reads the file, where passwords come from one.
    pub fn look_at_file(self: &Arc<Self>) {
        if let LoginSource::File(path) = &self.source {
            let path = path.clone();
            self.look(move || password_file::read(&path, LONGEST_PASSWORD));
        }
    }

    /// One look at a time: of two that overlap one might put back what it saw before the other one.
    pub(super) fn look(self: &Arc<Self>, read: impl FnOnce() -> Found + Send + 'static) {
        let credentials = self.clone();
        let outcome = self.glance.look(Box::new(move || {
            let looking = Looking(credentials);
            looking.0.take_over(read());
        }));
        if let Err(why) = outcome {
            self.set_file_trouble(&why);
        }
    }

    fn take_over(&self, found: Found) {
        let taken = found.and_then(|password| {
            let is_known = |grant: &Arc<super::Grant>| grant.password.as_ref() == Some(&password);
            if self.present.load().as_ref().is_some_and(is_known) {
                return Ok(());
            }
            self.set(self.user.as_deref(), &password, None).map_err(|error| error.to_string())
        });
        match taken {
            Ok(()) => self.set_trouble(None),
            Err(why) => self.set_file_trouble(&why),
        }
    }

    fn set_file_trouble(&self, why: &str) {
        if let LoginSource::File(path) = &self.source {
            self.set_trouble(Some(format!("redis.password_file {}: {why}", path.display())));
        }
    }
}
