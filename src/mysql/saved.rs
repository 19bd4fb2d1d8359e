//! Reads the checkpoint table of an earlier run.

use super::classify::Fault;
use super::session::{Answer, Session};
use crate::plan::inspection::{Leftover, same_name};
use crate::plan::key::Key;
use crate::plan::names::Names;
use crate::plan::saved::{
    COMMENT, COMMENT_NOW, CopiedTo, Origin, Progress, Saved, Seen, Stage, unpack,
};
use crate::sql::checkpoint::read_checkpoint;

/// What an earlier run has written down of itself.
///
/// # Errors
/// When it can't be read.
pub(super) async fn saved(
    session: &mut Session,
    names: &Names,
    leftovers: &[Leftover],
) -> Result<Option<Saved>, Fault> {
    let ours = |table: &&Leftover| {
        same_name(&table.name, &names.checkpoint) && table.comment.starts_with(COMMENT)
    };
    let Some(table) = leftovers.iter().find(ours) else {
        return Ok(None);
    };
    if table.comment != COMMENT_NOW {
        return Ok(Some(Saved::default()));
    }
    let answer = session.run(&read_checkpoint(names)).await?;
    let mut found = Saved {
        readable: true,
        ..Saved::default()
    };
    for row in 0..answer.rows.len() {
        let mut fields = (1..).map(|column| answer.text(row, column));
        let mut next = || fields.next().flatten().unwrap_or_default();
        let origin = Origin {
            alter: next(),
            original: next(),
            ghost: next(),
            statements: next(),
            now: next(),
            now_utc: next(),
        };
        if answer.number(row, 0) == Some(1) {
            found.origin = Some(origin);
            continue;
        }
        match progress(&answer, row) {
            Some(progress) => found.progress = Some(progress),
            // Not as we have written it.
            None => return Ok(Some(Saved::default())),
        }
    }
    Ok(Some(found))
}

/// The second row of a checkpoint table.
fn progress(answer: &Answer, row: usize) -> Option<Progress> {
    let seen = |first: usize| {
        Some(Seen {
            uuid: answer.text(row, first)?,
            started: answer.text(row, first + 1)?.parse().ok()?,
            flushed: answer.number(row, first + 2)? == 1,
        })
    };
    let bytes = |column| unhex(&answer.text(row, column)?);
    let copied = match (answer.number(row, 18)?, answer.text(row, 19)) {
        (0, None) => CopiedTo::Nothing,
        (0, Some(_)) => CopiedTo::Key(Key::from_bytes(&bytes(19)?)),
        _ => CopiedTo::End,
    };
    Some(Progress {
        number: answer.number(row, 7)?,
        stage: Stage::of(answer.number(row, 8)?)?,
        written: seen(9)?,
        log: seen(12)?,
        file: answer.text(row, 15)?,
        offset: answer.number(row, 16)?,
        gtids: answer.text(row, 17),
        copied,
        passed_over: unpack(&bytes(20)?)?,
        rows_copied: answer.number(row, 21)?,
        old_table: answer.text(row, 22)?,
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
