//! Names of the helper tables: gh-ost's, so that everything that knows gh-ost's tables knows ours.

/// Longest name of a table or constraint in MySQL, in characters (manual, "Identifier Length Limits").
pub(crate) const NAME_CHARS_MAX: usize = 64;

/// Characters of a table's name that those of a comparison keep.
const COMPARED_CHARS_MAX: usize = 40;

/// The names of one migration's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Schema of all of them.
    pub schema: String,
    /// The table that is migrated.
    pub original: String,
    /// The table with the new shape.
    pub ghost: String,
    /// What the original is called after the cut-over.
    pub old: String,
    /// Markers, heartbeats and states.
    pub changelog: String,
    /// Where the run writes down how far it is.
    pub checkpoint: String,
    /// The way back: the ghost is the old table of a finished migration, and the only one that has what it
    /// has. Nothing of ours may ever drop it.
    pub reverts: bool,
}

impl Names {
    /// Names for a table; `base` replaces the table's name in the helpers (`--force-table-names`),
    /// `stamp` makes the old table's name unique (`--timestamp-old-table`).
    #[must_use]
    pub fn new(schema: &str, original: &str, base: Option<&str>, stamp: Option<&str>) -> Self {
        let base = base.unwrap_or(original);
        let old = match stamp {
            Some(stamp) => helper(base, &format!("_{stamp}_del")),
            None => helper(base, "_del"),
        };
        Self {
            schema: schema.into(),
            original: original.into(),
            ghost: helper(base, "_gho"),
            old,
            changelog: helper(base, "_ghc"),
            checkpoint: helper(base, "_ghk"),
            reverts: false,
        }
    }

    /// Names for swapping a finished migration back: its old table takes the ghost's part.
    #[must_use]
    pub fn back(schema: &str, original: &str, base: Option<&str>, old_table: &str) -> Self {
        Self {
            ghost: old_table.into(),
            old: helper(base.unwrap_or(original), "_rev_del"),
            reverts: true,
            ..Self::new(schema, original, base, None)
        }
    }

    /// Names for the tables of a comparison, which stand beside those of a run that can be continued. A long
    /// one is cut, so that what the server and we call its constraints fits behind it.
    #[must_use]
    pub fn compared(schema: &str, original: &str) -> Self {
        let base = format!("{}_want", cut(original, COMPARED_CHARS_MAX));
        Self::new(schema, original, Some(&base), None)
    }

    /// The table that has the shape from before the migration, once it is swapped.
    #[must_use]
    pub fn with_old_shape(&self) -> &str {
        if self.reverts { &self.ghost } else { &self.old }
    }

    /// What the ghost of the migration was called that is reverted.
    #[must_use]
    pub fn ghost_of_migration(&self) -> String {
        let base = self.checkpoint.strip_suffix("_ghk");
        base.map(|base| format!("{base}_gho")).unwrap_or_default()
    }

    /// Where rows' values are kept while the row is made anew: a temporary table.
    #[must_use]
    pub fn kept(&self) -> String {
        helper(&self.original, "_kept")
    }

    /// Where an expression is tried out: a temporary table.
    #[must_use]
    pub fn tried(&self) -> String {
        helper(&self.original, "_try")
    }

    /// Name of the advisory lock; gh-ost takes the same one, so the two keep each other away.
    ///
    /// Lock names have at most 64 characters (manual, GET_LOCK); longer ones get a digest.
    #[must_use]
    pub fn advisory_lock(&self) -> String {
        let name = format!("gh-ost::{}.{}", self.schema, self.original);
        if name.chars().count() <= NAME_CHARS_MAX {
            return name;
        }
        format!("gh-ost::{:016x}", digest(&name))
    }
}

/// `_base_suffix`, cut at a character so that it fits; a cut name gets a digest of the whole one,
/// because two long names may be alike as far as they are kept.
fn helper(base: &str, suffix: &str) -> String {
    let plain = format!("_{base}{suffix}");
    if plain.chars().count() <= NAME_CHARS_MAX {
        return plain;
    }
    let suffix = format!("_{:06x}{suffix}", digest(base) & 0x00ff_ffff);
    let room = NAME_CHARS_MAX - 1 - suffix.chars().count();
    let kept: String = base.chars().take(room).collect();
    format!("_{kept}{suffix}")
}

/// The name itself, or if it is too long its beginning with a digest of the whole one.
pub(super) fn shortened(name: &str) -> String {
    cut(name, NAME_CHARS_MAX)
}

fn cut(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    let suffix = format!("_{:06x}", digest(name) & 0x00ff_ffff);
    let kept = most - suffix.chars().count();
    name.chars().take(kept).chain(suffix.chars()).collect()
}

/// FNV-1a; names have to differ, nothing has to be secret.
#[must_use]
pub fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_gh_ost() {
        let names = Names::new("shop", "orders", None, None);
        assert_eq!(names.ghost, "_orders_gho");
        assert_eq!(names.old, "_orders_del");
        assert_eq!(names.changelog, "_orders_ghc");
        assert_eq!(names.advisory_lock(), "gh-ost::shop.orders");
        let names = Names::new("shop", "orders", Some("o"), Some("20261121085351"));
        assert_eq!(names.old, "_o_20261121085351_del");
        let names = Names::back("shop", "orders", None, "_orders_del");
        assert_eq!(names.ghost, "_orders_del");
        assert_eq!(names.old, "_orders_rev_del");
        assert_eq!(names.checkpoint, "_orders_ghk");
    }

    #[test]
    fn names_of_a_comparison_leave_room_for_constraints() {
        assert_eq!(Names::compared("s", "t").ghost, "_t_want_gho");
        let (one, other) = ("ä".repeat(63) + "1", "ä".repeat(63) + "2");
        let (one, other) = (Names::compared("s", &one), Names::compared("s", &other));
        assert_ne!(one.ghost, other.ghost);
        assert!(one.ghost.chars().count() <= 50, "{}", one.ghost);
        assert!(one.changelog.ends_with("_want_ghc"));
    }

    #[test]
    fn long_names_fit_and_stay_apart() {
        let one = "ä".repeat(63) + "1";
        let other = "ä".repeat(63) + "2";
        let (one, other) = (
            Names::new("s", &one, None, None),
            Names::new("s", &other, None, None),
        );
        assert_ne!(one.ghost, other.ghost);
        assert_ne!(one.advisory_lock(), other.advisory_lock());
        for name in [
            &one.ghost,
            &one.old,
            &one.changelog,
            &one.checkpoint,
            &one.advisory_lock(),
        ] {
            assert!(name.chars().count() <= 64, "{name}");
        }
    }
}
