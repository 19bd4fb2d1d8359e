//! What the memory of a migration is when rows change faster than they are refreshed: the real core is told
//! of so many changed keys, in an order of its own, and its refreshes are answered far more slowly.
//!
//! ```text
//! cargo run --release --example backlog -- int|pair|uuid|text [KEYS] [random|ascending]
//! ```
//!
//! Prints how many keys were outstanding at most, and the process's peak resident memory. The brake is the
//! core's own: no changes are delivered while it doesn't want any. Its test does the same with fewer keys.

use std::collections::VecDeque;
use std::env;
use std::process::ExitCode;
use std::time::Instant;

use tableshift::core::event::{Command, Event};
use tableshift::core::refresh::{RefreshAnswer, RefreshJob, RefreshStep};
use tableshift::core::rules::Rules;
use tableshift::core::verify::extent::Wanted;
use tableshift::core::{Core, Settings};
use tableshift::limits;
use tableshift::plan::key::{Key, KeyValue, encode};

/// Keys that one message of the stream has, and how many of these come between two answers.
const MESSAGES_PER_ANSWER: usize = 20;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let keys = arguments.next().and_then(|keys| keys.parse().ok());
    let ascending = arguments.next().as_deref() == Some("ascending");
    let Some(make) = maker(&kind) else {
        eprintln!("usage: backlog int|pair|uuid|text [KEYS] [random|ascending]");
        return ExitCode::FAILURE;
    };
    let keys: u64 = keys.unwrap_or(100_000_000);
    let begun = Instant::now();
    let before = resident("VmRSS:");
    let most = feed(keys, |number| {
        make(if ascending { number } else { scattered(number) })
    });
    println!(
        "{kind}: {keys} keys told, at most {most} outstanding, {} KiB resident at most ({} KiB before), \
         {:.1} s",
        resident("VmHWM:"),
        before,
        begun.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}

/// Keys by number: eight bytes, two numbers, sixteen binary bytes, or text of the greatest length.
fn maker(kind: &str) -> Option<fn(u64) -> Key> {
    match kind {
        "int" => Some(|number| encode(&[KeyValue::UInt(number)])),
        "pair" => Some(|number| encode(&[KeyValue::UInt(number % 1_000), KeyValue::UInt(number)])),
        "uuid" => Some(|number| {
            let high = scattered(number).to_be_bytes();
            let both = [high, number.to_be_bytes()].concat();
            encode(&[KeyValue::Bytes(both.iter().map(|byte| byte | 1).collect())])
        }),
        "text" => Some(|number| {
            let mut text = format!("{number:020}").into_bytes();
            text.resize(3_070, b'x');
            encode(&[KeyValue::Bytes(text)])
        }),
        _ => None,
    }
}

/// Every number once, far from its neighbours.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Tells the core of the keys, and returns how many were outstanding at most.
fn feed(keys: u64, make: impl Fn(u64) -> Key) -> usize {
    let mut core = Core::new(settings());
    core.start();
    let mut refreshes: VecDeque<RefreshJob> = take(core.step(Event::BarrierPassed)).collect();
    let (mut next, mut now_ms, mut most) = (0, 0, 0);
    while next < keys || core.view().dirty > 0 {
        for _ in 0..MESSAGES_PER_ANSWER {
            if next < keys && core.wants_changes() {
                let message = message((next..keys).map(&make));
                next += message.len() as u64;
                refreshes.extend(take(core.step(Event::Changed(message))));
            }
        }
        most = most.max(core.view().dirty);
        if let Some(mut job) = refreshes.pop_front() {
            while let RefreshStep::ReplaceAll(keys) = job.next() {
                job.answer(RefreshAnswer::Replaced(keys.len() as u64));
            }
            refreshes.extend(take(core.step(Event::Refreshed(job.outcome(), 1))));
        } else {
            now_ms += 50;
            refreshes.extend(take(core.step(Event::Tick(now_ms))));
        }
    }
    most
}

/// As many keys as the stream puts into one message.
fn message(keys: impl Iterator<Item = Key>) -> Vec<Key> {
    let mut room = limits::STREAM_BATCH_BYTES;
    let fitting = keys.take_while(|key| {
        let fits = room > 0;
        room = room.saturating_sub(key.heap_size());
        fits
    });
    fitting.take(limits::STREAM_BATCH_KEYS).collect()
}

fn take(commands: Vec<Command>) -> impl Iterator<Item = RefreshJob> {
    commands.into_iter().filter_map(|command| match command {
        Command::Refresh(job) => Some(job),
        _ => None,
    })
}

fn settings() -> Settings {
    Settings {
        copy_workers: limits::COPY_WORKERS,
        refresh_workers: limits::REFRESH_WORKERS,
        chunk_rows: limits::CHUNK_ROWS_START,
        chunk_rows_max: limits::CHUNK_ROWS_MAX,
        copy_target_ms: 50,
        refresh_keys: limits::REFRESH_KEYS,
        refresh_keys_max: limits::REFRESH_KEYS_MAX,
        dirty_bytes_max: limits::DIRTY_BYTES_MAX,
        byte_comparable: true,
        integer_key: false,
        same_order: true,
        other_unique_keys: false,
        introduced_keys: false,
        lag_max_ms: 1_500,
        lock_held_max_ms: 3_000,
        pause_max_ms: 64_000,
        checkpoint_ms: None,
        deferred_indexes: false,
        compare_plans_ms: None,
        verify: Wanted::default(),
        compare_behind_copy: true,
        rules: Rules::default(),
    }
}

/// A line of this process's status, in KiB (proc(5)).
fn resident(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a full set may make of the process, so that connections and queues have as much again.
    const RESIDENT_MAX_KIB: u64 = 48 << 10;

    /// In one test, because the peak is the process's.
    #[test]
    fn a_process_stays_small_however_many_keys_change() {
        let full = limits::DIRTY_BYTES_MAX / limits::DIRTY_KEY_BYTES;
        let in_hand = (limits::REFRESH_WORKERS + limits::COPY_WORKERS) * limits::REFRESH_KEYS_MAX;
        let most_keys = full + in_hand + limits::STREAM_BATCH_KEYS;
        let stories = [
            ("int", 2_000_000, full),
            ("uuid", 1_000_000, full),
            ("text", 30_000, limits::DIRTY_BYTES_MAX / 3_200),
        ];
        for (kind, keys, full) in stories {
            let make = maker(kind).expect("a kind of keys");
            let most = feed(keys, |number| make(scattered(number)));
            let resident = resident("VmHWM:");
            assert!(most >= full, "{kind}: the set was never full: {most} keys");
            assert!(most <= most_keys, "{kind}: {most} keys");
            assert!(resident < RESIDENT_MAX_KIB, "{kind}: {resident} KiB");
        }
    }
}
