//! What the memory of a migration is when rows change faster than they are refreshed: the real core is told
//! of so many changed keys, in an order of its own, and its refreshes are answered at a fifth of that rate.
//!
//! ```text
//! cargo run --release --example backlog -- int|pair|uuid|text [KEYS] [random|ascending]
//! ```
//!
//! Prints how many keys were outstanding at most, and the process's peak resident memory. The brake is the
//! core's own: no changes are delivered while it doesn't want any.

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
const MESSAGES_PER_ANSWER: usize = 2;

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
    let batch = limits::STREAM_BATCH_KEYS as u64;
    while next < keys || core.view().dirty > 0 {
        for _ in 0..MESSAGES_PER_ANSWER {
            if next < keys && core.wants_changes() {
                let upto = keys.min(next + batch);
                let message = (next..upto).map(&make).collect();
                refreshes.extend(take(core.step(Event::Changed(message))));
                next = upto;
            }
        }
        most = most.max(core.view().dirty);
        if let Some(mut job) = refreshes.pop_front() {
            while let RefreshStep::ReplaceAll(keys) = job.next() {
                job.answer(RefreshAnswer::Replaced(keys.len() as u64));
            }
            refreshes.extend(take(core.step(Event::Refreshed(job.outcome()))));
        } else {
            now_ms += 50;
            refreshes.extend(take(core.step(Event::Tick(now_ms))));
        }
    }
    most
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
        dirty_bytes_max: limits::DIRTY_BYTES_MAX,
        byte_comparable: true,
        same_order: true,
        other_unique_keys: false,
        introduced_keys: false,
        lag_max_ms: 1_500,
        lock_held_max_ms: 3_000,
        pause_max_ms: 64_000,
        checkpoint_ms: None,
        verify: Wanted::default(),
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
