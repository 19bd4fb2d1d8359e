//! Numbers that differ from seed to seed: moments and rows, not secrets.

use std::time::SystemTime;

/// A generator of such numbers.
pub struct Chance(u64);

impl Chance {
    /// `TABLESHIFT_SEED=n` repeats the choices of an earlier run.
    pub fn new() -> Self {
        let given = std::env::var("TABLESHIFT_SEED").ok();
        let seed = given.and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            let now = SystemTime::UNIX_EPOCH.elapsed().expect("a time");
            now.as_secs() << 20 | u64::from(now.subsec_micros())
        });
        println!("TABLESHIFT_SEED={seed}");
        Self(seed | 1)
    }

    /// Choices of somebody's own that follow from these.
    pub fn another(&mut self) -> Self {
        Self(self.below(1 << 40) | 1)
    }

    /// A number below this one.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
