//! `--throttle-query`: the operator's own question to the primary, once a second.

use super::reader::Reader;
use super::{Collectors, no_answer, patiently};
use crate::control::{Source, throttle};
use crate::limits;
use crate::sql::signals;

/// Asks until the run ends. The server ends a question that takes too long, and the next one waits
/// for that, so questions never pile up.
pub(super) async fn run(mut around: Collectors) {
    let limit = signals::limit_execution(limits::SIGNAL_STATEMENT.as_millis());
    let mut reader = Reader::new(&around.address, "throttle query", Some(limit));
    let mut voice = around.voice(Source::Query);
    loop {
        let go_on = match around.settings().query {
            Some(text) => {
                let question = signals::throttle_query(&text);
                let answer =
                    reader.ask(&question, limits::SIGNAL_STATEMENT + limits::SIGNAL_SILENCE);
                let late = voice.say(throttle::query(Err(&no_answer())));
                let reason = match patiently(answer, late).await {
                    Err(fault) => throttle::query(Err(&fault.message)),
                    Ok(answer) => {
                        let value = answer.text(0, 0);
                        let row = answer.rows.first().map(|_| value.as_deref());
                        throttle::query(Ok(row))
                    }
                };
                voice.say(reason).await;
                around.wait(limits::SIGNAL_LOOK).await
            }
            None => {
                reader.rest();
                voice.say(None).await;
                around.wait_for_settings().await
            }
        };
        if !go_on {
            return;
        }
    }
}
