//! A migration that a batch has begun ends with it: whoever went on alone could not tell anybody how it ended.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::config::PARENT_VARIABLE;

/// Lets the system send TERM to this process when the batch that started it is gone, however it ends. Without
/// a batch nothing happens.
///
/// # Errors
/// When the batch is gone already, or the system refuses.
pub fn follow() -> Result<(), String> {
    let Ok(parent) = std::env::var(PARENT_VARIABLE) else {
        return Ok(());
    };
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| format!("the end of the batch can't be watched: {error}"))?;
    // Asked afterwards, so that no moment is left between.
    let now = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if now.as_deref() == Some(parent.as_str()) {
        return Ok(());
    }
    Err("the batch that started this migration is gone".into())
}
