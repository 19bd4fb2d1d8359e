//! The keeper: sees to it that the advisory lock stays ours.
//!
//! The lock lives in the main session, which idles during the copy; a proxy or an administrator
//! may end it. A lost lock means that a second run could begin, so the run stops.

use tokio::sync::mpsc;

use super::workers::Done;
use crate::core::event::{Event, Failure};
use crate::limits;
use crate::mysql::session::Session;
use crate::plan::names::Names;
use crate::sql::cutover::used_lock;

/// Looks at the lock now and then, from its own connection, until nobody listens.
pub(super) async fn run(
    mut session: Session,
    names: Names,
    main_id: u32,
    done: mpsc::Sender<Done>,
) {
    let question = used_lock(&names);
    let mut looks = tokio::time::interval(limits::ADVISORY_PING);
    let mut failures = 0;
    loop {
        tokio::select! {
            () = done.closed() => return,
            _ = looks.tick() => {}
        }
        let held = match session.run(&question).await {
            Ok(answer) => {
                failures = 0;
                answer.number(0, 0) == Some(u64::from(main_id))
            }
            Err(_) => {
                failures += 1;
                // Whether it is still ours is unknown for a while, but not for ever.
                if failures < limits::ADVISORY_FAILURES && session.reopen().await.is_ok() {
                    looks.reset_immediately();
                    continue;
                }
                false
            }
        };
        if !held {
            let failure = Failure::new(
                "the advisory lock that keeps a second migration away was lost",
                "see why the server ended an idle connection (wait_timeout, a proxy, a restart), \
                 then run the command again",
            );
            let _ = done.send((usize::MAX, Event::Broken(failure))).await;
            return;
        }
    }
}
