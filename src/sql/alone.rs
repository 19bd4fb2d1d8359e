//! The statements that compare two tables outside a migration: the same as in one, the first table in the
//! original's place and the second in the ghost's. Nothing is ever written with them.

use super::{Sql, Walk, ghost_walk, qualified, quoted};
use crate::plan::pair::Pair;

impl Sql {
    /// Prepares the statements that compare a pair.
    #[must_use]
    pub fn of_pair(pair: &Pair) -> Self {
        let [one, other] = &pair.names;
        let original = Walk {
            table: qualified(&one.0, &one.1),
            index: quoted(&pair.key.original_index),
            columns: pair.key.columns.clone(),
        };
        let ghost = ghost_walk(&pair.other, &pair.key, qualified(&other.0, &other.1));
        Self {
            reverts: false,
            kept: None,
            original_name: one.1.clone(),
            original,
            ghost,
            old: String::new(),
            changelog: String::new(),
            targets: String::new(),
            itself: String::new(),
            sources: String::new(),
            computed: String::new(),
            backfilled: Vec::new(),
            outside: None,
            shared: pair.shared.clone(),
            unverified: Vec::new(),
            introduces_keys: false,
            parents: String::new(),
        }
    }
}
