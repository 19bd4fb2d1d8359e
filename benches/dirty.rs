//! The dirty set: what a mark costs, and a batch taken and given back, in sets of several sizes.
//!
//! `cargo bench --bench dirty`. Keys are eight bytes and come in an order of their own.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use tableshift::core::dirty::DirtySet;
use tableshift::core::rules::Rules;
use tableshift::limits;
use tableshift::plan::key::{Key, KeyValue, encode};

/// Marks in one measurement.
const MARKS: u64 = 1_000;
/// Keys of a set that is full.
const FULL: u64 = (limits::DIRTY_BYTES_MAX / limits::DIRTY_KEY_BYTES) as u64;

fn key(number: u64) -> Key {
    encode(&[KeyValue::UInt(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))])
}

fn set(keys: u64) -> DirtySet {
    let mut set = DirtySet::new(false, Rules::default());
    (0..keys).for_each(|number| set.mark(key(number)));
    set
}

fn marks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mark");
    group.throughput(Throughput::Elements(MARKS));
    for keys in [1_000, 100_000, FULL] {
        let (mut grown, mut next) = (set(keys), keys);
        group.bench_function(BenchmarkId::new("new keys", keys), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut took = Duration::ZERO;
                for _round in 0..rounds {
                    // Back to its size first.
                    while grown.len() as u64 > keys {
                        let (job, _) = grown.take(limits::REFRESH_KEYS).expect("a batch");
                        grown.give_back(job, Vec::new());
                    }
                    let begun = Instant::now();
                    (next..next + MARKS).for_each(|number| grown.mark(key(number)));
                    took += begun.elapsed();
                    next += MARKS;
                }
                took
            });
        });
        let mut hot = set(keys);
        group.bench_function(BenchmarkId::new("hot keys", keys), |bencher| {
            bencher.iter(|| (0..MARKS).for_each(|number| hot.mark(key(number))));
        });
    }
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("take, give back, mark again");
    group.throughput(Throughput::Elements(limits::REFRESH_KEYS as u64));
    for keys in [1_000, 100_000, FULL] {
        let mut set = set(keys);
        group.bench_function(BenchmarkId::from_parameter(keys), |bencher| {
            bencher.iter(|| {
                let (job, keys) = set.take(limits::REFRESH_KEYS).expect("a batch");
                set.give_back(job, Vec::new());
                keys.into_iter().for_each(|key| set.mark(key));
            });
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    marks(&mut criterion);
    batches(&mut criterion);
    criterion.final_summary();
}
