//! What the host wants to hear of: that decides how soon the client reads what nobody evaluates.

use super::client::{open, with_client};
use super::error::{finish, status};
use super::{client_panicked, flagstone_client, flagstone_error, flagstone_status, guard};

/// Bit of `flagstone_client_subscribe`: changes of flags, also of those that are not evaluated.
pub const FLAGSTONE_SUBSCRIBE_FLAG_CHANGES: u32 = 1;

/// Says what the host acts upon: `wants` is a sum of `FLAGSTONE_SUBSCRIBE_…`, in place of what was said before; 0 at first.
/// Unknown bits are ignored.
///
/// Not needed in order to hear of anything: it says how soon. A changed flag that is being evaluated is read at once in any case;
/// the rest of the data set waits, so that a hundred processes do not read everything at the same moment, for up to half a
/// minute in large fleets. A host that has listeners to flag changes subscribes, and hears of all of them at once. OK; CLOSED
/// after close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_subscribe(
    client: *mut flagstone_client,
    wants: u32,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            open(client)?;
            client.hear_flag_changes(wants & FLAGSTONE_SUBSCRIBE_FLAG_CHANGES != 0);
            Ok(())
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}
