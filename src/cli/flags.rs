//! Every flag: the one table from which the command line, `--help`, the reference page, the man page and
//! the shell completions are made.
//!
//! gh-ost's flags are all here, under its names. One that needs nothing here is accepted and said to have
//! no effect.

pub use super::table::GROUPS;

/// What a flag's value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// On or off; a value needs `=`, as in Go.
    Switch,
    /// Any text.
    Text,
    /// Text that is shown nowhere.
    Secret,
    /// Any text, and the flag may be given several times.
    Texts,
    /// A whole number in this range, its ends included.
    Whole(u64, u64),
    /// A number in this range, its ends included.
    Number(f64, f64),
    /// One of these words.
    Word(&'static [&'static str]),
}

/// What a flag does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// What it says.
    Acts,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// One flag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flag {
    /// Name without dashes.
    pub name: &'static str,
    /// Its value.
    pub kind: Kind,
    /// Its default as text; empty when there is none.
    pub default: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Unit, range and more, for `--help`; may be empty.
    pub more: &'static str,
    /// The run-time command that changes it; empty when there is none.
    pub live: &'static str,
    /// What it does here.
    pub effect: Effect,
}

/// Flags of one topic, in the order of `--help`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// The topic.
    pub title: &'static str,
    /// Its flags.
    pub flags: &'static [Flag],
}

/// Every flag.
pub fn all() -> impl Iterator<Item = &'static Flag> {
    GROUPS.iter().flat_map(|group| group.flags)
}

const PLAIN: Flag = Flag {
    name: "",
    kind: Kind::Switch,
    default: "",
    help: "",
    more: "",
    live: "",
    effect: Effect::Acts,
};

/// A switch that is off unless given.
pub(super) const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        help,
        default: "false",
        ..PLAIN
    }
}

/// A flag with a text.
pub(super) const fn text(name: &'static str, default: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        kind: Kind::Text,
        default,
        help,
        ..PLAIN
    }
}

/// A flag with a whole number in this range.
pub(super) const fn whole(
    name: &'static str,
    default: &'static str,
    range: (u64, u64),
    help: &'static str,
) -> Flag {
    Flag {
        name,
        kind: Kind::Whole(range.0, range.1),
        default,
        help,
        ..PLAIN
    }
}

/// The same flag with more to say about it.
pub(super) const fn more(flag: Flag, more: &'static str) -> Flag {
    Flag { more, ..flag }
}

/// The same flag, which a run-time command changes.
pub(super) const fn live(flag: Flag, live: &'static str) -> Flag {
    Flag { live, ..flag }
}

/// The same flag, which has no effect here.
pub(super) const fn nothing(flag: Flag, why: &'static str) -> Flag {
    Flag {
        effect: Effect::Nothing(why),
        ..flag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lines_are_short() {
        let mut names: Vec<&str> = all().map(|flag| flag.name).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for flag in all() {
            assert!(
                !flag.help.is_empty() && flag.help.len() <= 70,
                "{}",
                flag.name
            );
        }
    }
}
