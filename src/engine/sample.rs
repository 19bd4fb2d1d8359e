//! A sample of the copy: chunks that are really copied into the ghost, which is then dropped.
//!
//! The statements are those of a copy; the original's rows are locked for as long as one chunk takes, and never
//! waited for. Nothing else goes on beside it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::open;
use super::workers::keys;
use crate::config::Config;
use crate::control::Wish;
use crate::core::chunk::Chunk;
use crate::core::copy::Locking;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::{Address, Session};
use crate::plan::Plan;
use crate::plan::key::{Key, KeyError, KeyValue, decode, encode};
use crate::plan::prospect::Sampled;
use crate::plan::prospect::prediction::{Copied, Spread, predict};
use crate::sql::{Sql, Walk};

/// What became of it.
pub(super) enum Taken {
    Sample(Sampled),
    /// The operator wants an end.
    Stopped,
}

/// Copies for so long, at most.
pub(super) async fn take(
    address: &Address,
    plan: &Plan,
    (config, length): (&Config, Duration),
    signalled: &mut mpsc::Receiver<Wish>,
) -> Taken {
    let sampled = async {
        let session = open(address, "sampler", plan).await?;
        let mut sampler = Sampler::new(session, plan, config);
        sampler.plot(plan).await?;
        sampler.all(length, signalled).await
    };
    match sampled.await {
        Ok(taken) => taken,
        Err(fault) if fault.kind == FaultKind::Definite => {
            Taken::Sample(Sampled::Refused(fault.to_string()))
        }
        Err(fault) => Taken::Sample(Sampled::Not(format!("the sample came to nothing: {fault}"))),
    }
}

/// A stretch of the key that isn't copied yet.
struct Stretch {
    after: Option<Key>,
    upto: Option<Key>,
}

struct Sampler {
    session: Session,
    sql: Sql,
    stretches: VecDeque<Stretch>,
    spread: Spread,
    chunk_rows: u64,
    chunk_rows_max: u64,
    rows_max: u64,
    rows_estimate: u64,
    copied: Vec<Copied>,
}

impl Sampler {
    fn new(session: Session, plan: &Plan, config: &Config) -> Self {
        let row_bytes = plan.original.row_bytes.max(1);
        let by_bytes = (limits::CHUNK_BYTES_MAX / row_bytes).max(1);
        let chosen = config.chunk_rows.unwrap_or(limits::CHUNK_ROWS_MAX);
        Self {
            session,
            sql: Sql::new(plan),
            stretches: VecDeque::new(),
            spread: Spread::FromTheBeginning,
            chunk_rows: limits::CHUNK_ROWS_START.min(by_bytes).min(chosen),
            chunk_rows_max: by_bytes.min(chosen),
            rows_max: (limits::SAMPLE_BYTES_MAX / row_bytes).max(1),
            rows_estimate: plan.original.rows_estimate,
            copied: Vec::new(),
        }
    }

    /// Cuts an integer key into stretches that are visited in turn; any other key is one stretch.
    async fn plot(&mut self, plan: &Plan) -> Result<(), Fault> {
        if plan.key.is_one_integer()
            && let Some(first) = self.end_after(None, 1).await?
            && let Some(last) = self.last().await?
        {
            let points = points(&first, &last, self.sql.original());
            self.spread = Spread::OverTheKey;
            self.stretches = stretches(&points);
            return Ok(());
        }
        self.stretches.push_back(Stretch {
            after: None,
            upto: None,
        });
        Ok(())
    }

    async fn last(&mut self) -> Result<Option<Key>, Fault> {
        let statement = Sql::last_key(self.sql.original());
        let answer = self.session.run(&statement).await?;
        Ok(keys(self.sql.original(), &answer)?.pop())
    }

    async fn end_after(&mut self, after: Option<&Key>, rows: u64) -> Result<Option<Key>, Fault> {
        let walk = self.sql.original();
        for probe in Sql::boundary(walk, after, rows).map_err(bad_key)? {
            let answer = self.session.run(&probe.statement).await?;
            if let Some(key) = keys(walk, &answer)?.pop() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    async fn all(
        &mut self,
        length: Duration,
        signalled: &mut mpsc::Receiver<Wish>,
    ) -> Result<Taken, Fault> {
        let begun = Instant::now();
        let (mut rows, mut next) = (0_u64, self.stretches.pop_front());
        while let Some(stretch) = next {
            if let Ok(Wish::Stop(_)) = signalled.try_recv() {
                return Ok(Taken::Stopped);
            }
            if begun.elapsed() >= length || rows >= self.rows_max {
                self.stretches.push_front(stretch);
                break;
            }
            let (chunk, rest) = self.chunk(stretch).await?;
            let copied = self.copy(&chunk).await?;
            rows += copied.rows;
            self.copied.push(copied);
            self.adapt(copied);
            self.stretches.extend(rest);
            next = self.stretches.pop_front();
        }
        let whole = if self.stretches.is_empty() {
            rows
        } else {
            self.rows_estimate
        };
        let prediction = predict(&self.copied, whole, self.spread);
        Ok(Taken::Sample(prediction.map_or_else(
            || Sampled::Not("the sample found no rows".into()),
            Sampled::Predicted,
        )))
    }

    /// The next chunk of a stretch, and what is left of it.
    async fn chunk(&mut self, stretch: Stretch) -> Result<(Chunk, Option<Stretch>), Fault> {
        let Stretch { after, upto } = stretch;
        let end = self.end_after(after.as_ref(), self.chunk_rows).await?;
        let within = end.filter(|end| {
            // Keys of one integer, whose bytes sort as their numbers; only they have an upper end.
            upto.as_ref().is_none_or(|upto| end < upto)
        });
        let rest = within.clone().map(|after| Stretch {
            after: Some(after),
            upto: upto.clone(),
        });
        let chunk = Chunk {
            id: 0,
            after,
            upto: within.or(upto),
            common_columns: crate::core::chunk::COMMON_UNKNOWN,
        };
        Ok((chunk, rest))
    }

    async fn copy(&mut self, chunk: &Chunk) -> Result<Copied, Fault> {
        let mut locking = Locking::NoWait;
        loop {
            let statement = self.sql.copy_chunk(chunk, locking).map_err(bad_key)?;
            let begun = Instant::now();
            match self.session.run(&statement).await {
                Ok(answer) => {
                    return Ok(Copied {
                        rows: answer.records.unwrap_or_default(),
                        micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                    });
                }
                Err(fault) if fault.kind == FaultKind::Held && locking == Locking::NoWait => {
                    locking = Locking::SkipLocked;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Chunks grow and shrink towards the time that a copy's take, doubling at most.
    fn adapt(&mut self, copied: Copied) {
        if copied.rows == 0 {
            return;
        }
        let target = u64::try_from(limits::COPY_CHUNK_TARGET.as_micros()).unwrap_or(u64::MAX);
        let fitting = copied.rows.saturating_mul(target) / copied.micros.max(1);
        let most = self.chunk_rows_max.min(self.chunk_rows.saturating_mul(2));
        self.chunk_rows = fitting.max(limits::CHUNK_ROWS_MIN).min(most).max(1);
    }
}

fn bad_key(error: KeyError) -> Fault {
    Fault::unexpected("read a key", error.to_string())
}

/// Keys between the first and the last one at equal distances, none of them twice.
fn points(first: &Key, last: &Key, walk: &Walk) -> Vec<Key> {
    let number = |key: &Key| match decode(key, &walk.columns).ok()?.as_slice() {
        [KeyValue::Int(number)] => Some((i128::from(*number), true)),
        [KeyValue::UInt(number)] => Some((i128::from(*number), false)),
        _ => None,
    };
    let (Some((low, signed)), Some((high, _))) = (number(first), number(last)) else {
        return Vec::new();
    };
    let count = i128::from(limits::SAMPLE_POINTS);
    let mut points: Vec<Key> = (1..count)
        .map(|point| low + (high - low) * point / count)
        .filter_map(|number| {
            if signed {
                i64::try_from(number).ok().map(KeyValue::Int)
            } else {
                u64::try_from(number).ok().map(KeyValue::UInt)
            }
        })
        .map(|value| encode(&[value]))
        .collect();
    points.dedup();
    points
}

/// The stretches between them, in an order in which any beginning covers the whole key: that of the numbers
/// with their bits turned round.
fn stretches(points: &[Key]) -> VecDeque<Stretch> {
    let ends = points.iter().cloned().map(Some).chain([None]);
    let begins = [None].into_iter().chain(points.iter().cloned().map(Some));
    let mut numbered: Vec<(u32, Stretch)> = (0_u32..)
        .zip(begins.zip(ends))
        .map(|(number, (after, upto))| (number.reverse_bits(), Stretch { after, upto }))
        .collect();
    numbered.sort_by_key(|(place, _)| *place);
    numbered.into_iter().map(|(_, stretch)| stretch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_the_key_without_gap_in_an_order_that_spreads() {
        let key = |number: i64| encode(&[KeyValue::Int(number)]);
        let found = stretches(&[key(10), key(20), key(30)]);
        let ends: Vec<(Option<Key>, Option<Key>)> = found
            .into_iter()
            .map(|stretch| (stretch.after, stretch.upto))
            .collect();
        let expected = [
            (None, Some(key(10))),
            (Some(key(20)), Some(key(30))),
            (Some(key(10)), Some(key(20))),
            (Some(key(30)), None),
        ];
        assert_eq!(ends, expected);
        assert_eq!(stretches(&[]).len(), 1);
    }
}
