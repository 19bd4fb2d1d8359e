//! Indexes that the ghost does without while it is copied: which can be spared, and whether they are. Pure.
//!
//! Rows go into a table with few indexes much faster, and an index that is built in one pass over all rows is
//! dense. So the non-unique indexes are taken off the empty ghost and built after the copy. Unique ones
//! stay: they decide which rows have a place.
//!
//! The text of an index is taken from SHOW CREATE TABLE as it stands, because only that has all of it. The
//! server shows indexes by kinds, and within a kind in the order in which they were made (seen on 9.7.4: primary
//! key, unique, others, those over virtual columns, full-text). What is made anew comes last in its kind, so only
//! the last ones of it can be spared.

use super::inspection::{Column, Index, Site, Table, Version};

/// What the operator wants (`--defer-secondary-indexes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deferral {
    /// Where nobody would replay the building.
    #[default]
    Auto,
    /// Whatever can be spared.
    On,
    /// Nothing.
    Off,
}

/// An index that is built after the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferredIndex {
    /// Its name.
    pub name: String,
    /// `KEY … (…) …`, as SHOW CREATE TABLE has it.
    pub text: String,
}

/// What is built after the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    /// The indexes in their order; at least one.
    pub indexes: Vec<DeferredIndex>,
    /// The ghost's definition without them, and without its counter.
    pub without: String,
}

impl Deferred {
    /// What of this definition can be spared, if anything.
    #[must_use]
    pub fn of(ghost: &Table, definition: &str) -> Option<Self> {
        // The server finds the index of a foreign key by itself, which could be any.
        if definition.contains("FOREIGN KEY") {
            return None;
        }
        let ordered: Vec<(DeferredIndex, bool)> = body(definition)
            .filter_map(|line| index_of(line, ghost))
            .collect();
        let behind = ordered
            .iter()
            .rposition(|(_, spared)| !spared)
            .map_or(0, |last| last + 1);
        let indexes: Vec<DeferredIndex> = ordered
            .into_iter()
            .skip(behind)
            .map(|(index, _)| index)
            .collect();
        Self::taken_off(definition, indexes)
    }

    /// What a ghost of this definition lacks, if it lacks nothing but plain indexes.
    #[must_use]
    pub fn between(whole: &str, present: &str) -> Option<Self> {
        let bare = |line: &str| line.strip_suffix(',').unwrap_or(line).to_owned();
        let there: Vec<String> = body(present).map(bare).collect();
        let lacking = body(whole)
            .map(bare)
            .filter(|line| !there.contains(line))
            .map(|line| plain_index(&line))
            .collect::<Option<Vec<_>>>()?;
        Self::taken_off(whole, lacking).filter(|found| found.without == present)
    }

    fn taken_off(definition: &str, indexes: Vec<DeferredIndex>) -> Option<Self> {
        let without = without(definition, &indexes)?;
        (!indexes.is_empty()).then_some(Self { indexes, without })
    }

    /// Their names, for messages.
    #[must_use]
    pub fn names(&self) -> String {
        let quoted = |one: &DeferredIndex| format!("`{}`", one.name.replace('`', "``"));
        let names: Vec<String> = self.indexes.iter().map(quoted).collect();
        names.join(", ")
    }
}

/// The lines of a definition between its first one and the parenthesis that closes the columns.
fn body(definition: &str) -> impl Iterator<Item = &str> {
    let lines = definition.split('\n').skip(1);
    lines.take_while(|line| !line.starts_with(')'))
}

/// A definition without the lines of these indexes; strings in it have their line ends escaped.
fn without(definition: &str, indexes: &[DeferredIndex]) -> Option<String> {
    let (first, _) = definition.split_once('\n')?;
    let bare = |line: &str| line.strip_suffix(',').unwrap_or(line).to_owned();
    let gone = |line: &String| {
        let text = line.strip_prefix("  ").unwrap_or_default();
        indexes.iter().any(|index| index.text == text)
    };
    let all = body(definition).count();
    let kept: Vec<String> = body(definition)
        .map(bare)
        .filter(|line| !gone(line))
        .collect();
    if kept.is_empty() || kept.len() + indexes.len() != all {
        return None;
    }
    let rest: Vec<&str> = definition.split('\n').skip(1 + all).collect();
    Some(format!(
        "{first}\n{}\n{}",
        kept.join(",\n"),
        rest.join("\n")
    ))
}

/// The index of a line, and whether it can be spared; none for what the server shows among others.
fn index_of(line: &str, ghost: &Table) -> Option<(DeferredIndex, bool)> {
    let line = line.strip_suffix(',').unwrap_or(line);
    if let Some(rest) = line.strip_prefix("  SPATIAL ") {
        return Some((plain_index(&format!("  {rest}"))?, false));
    }
    let found = plain_index(line)?;
    let known = ghost.indexes.iter().find(|index| index.name == found.name);
    let Some(known) = known.filter(|index| !index.unique) else {
        // The definition isn't understood.
        return Some((found, false));
    };
    match computed(known, ghost) {
        Some(true) => None,
        Some(false) => {
            let spared = !counts(known, ghost);
            Some((found, spared))
        }
        None => Some((found, false)),
    }
}

/// An index line that is neither unique, full-text nor spatial.
fn plain_index(line: &str) -> Option<DeferredIndex> {
    let text = line.strip_prefix("  ")?;
    let name = quoted_name(text.strip_prefix("KEY ")?)?;
    Some(DeferredIndex {
        name,
        text: text.to_owned(),
    })
}

/// The name in back-quotes that a text begins with.
fn quoted_name(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix('`')?;
    let mut name = String::new();
    loop {
        let (part, behind) = rest.split_once('`')?;
        name.push_str(part);
        match behind.strip_prefix('`') {
            Some(more) => {
                name.push('`');
                rest = more;
            }
            None => return Some(name),
        }
    }
}

/// It is over an expression or a virtual column: the server builds the one kind with a lock (1846 on 9.7.4),
/// and the other is left alone with it. None when its columns aren't known.
fn computed(index: &Index, ghost: &Table) -> Option<bool> {
    let mut any = false;
    for part in &index.parts {
        any |= match &part.column {
            Some(name) => is_virtual(ghost.column(name)?),
            None => true,
        };
    }
    Some(any)
}

fn is_virtual(column: &Column) -> bool {
    let extra = column.extra.to_ascii_uppercase();
    extra.contains("VIRTUAL GENERATED")
}

/// It begins with the column that counts by itself, which has to be the first of some index.
fn counts(index: &Index, ghost: &Table) -> bool {
    let first = index.parts.first().and_then(|part| part.column.as_deref());
    first
        .and_then(|name| ghost.column(name))
        .is_some_and(Column::auto_increment)
}

/// The plain indexes of a table, for messages about those that aren't deferred.
#[must_use]
pub fn has_plain_ones(table: &Table) -> bool {
    body(&table.definition).any(|line| plain_index(line).is_some())
}

/// In-place builds beside writers are left alone before these versions of their series: bugs 115511 and 115608
/// of MySQL's tracker report rows lost or taken for duplicates by such builds since 8.0.27. A precaution; no older
/// server was there to be tried.
const TRUSTED: [Version; 3] = [
    Version {
        major: 8,
        minor: 0,
        patch: 41,
    },
    Version {
        major: 8,
        minor: 4,
        patch: 4,
    },
    Version {
        major: 9,
        minor: 2,
        patch: 0,
    },
];

fn trusted(version: Version) -> bool {
    let series = TRUSTED
        .iter()
        .rev()
        .find(|one| (one.major, one.minor) <= (version.major, version.minor));
    series.is_some_and(|one| {
        let same = (one.major, one.minor) == (version.major, version.minor);
        same && version >= *one || version >= TRUSTED[2]
    })
}

/// What is known of those who would have to replay the building.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    /// Where the run writes.
    pub site: Site,
    /// It follows a replica's log.
    pub follows_replica: bool,
    /// Connections that read the server's binary log, and other members of its group; none when that
    /// can't be told.
    pub readers: Option<u64>,
}

/// Why indexes are not deferred although they could be.
#[must_use]
pub fn speaks_against(wish: Deferral, version: Version, audience: Audience) -> Option<String> {
    match wish {
        Deferral::On => return None,
        Deferral::Off => return Some("--defer-secondary-indexes=off".into()),
        Deferral::Auto => {}
    }
    let replay = "replicas would replay the building as one long statement";
    match audience {
        Audience { site, .. } if site != Site::Primary => Some(format!(
            "this server is not the only one with the table; {replay}"
        )),
        Audience {
            follows_replica: true,
            ..
        } => Some(format!("a replica is followed; {replay}")),
        Audience { readers: None, .. } => Some(format!(
            "it can't be told whether there are replicas; {replay}"
        )),
        Audience {
            readers: Some(1..), ..
        } => Some(format!("the binary log has readers; {replay}")),
        Audience { .. } if !trusted(version) => Some(format!(
            "MySQL {version} is older than the versions whose in-place builds are trusted"
        )),
        Audience { .. } => None,
    }
}

/// What is told of a build that goes to replicas, if the operator wants it so.
#[must_use]
pub fn warning(version: Version, audience: Audience) -> Option<String> {
    let why = speaks_against(Deferral::Auto, version, audience)?;
    Some(format!("--defer-secondary-indexes=on, although {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::inspection::IndexPart;

    const DEFINITION: &str = "CREATE TABLE `_t_gho` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  `a` int \
        DEFAULT NULL COMMENT '  KEY `a` (`a`)',\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`a`),\n  KEY `n` \
        (`id`,`a`),\n  KEY `a` (`a`) COMMENT 'it''s a `quoted` \\\\ back, comma',\n  KEY `we``ird, (x` \
        (`a` DESC) /*!80000 INVISIBLE */,\n  KEY `f` (((`a` + 1))),\n  FULLTEXT KEY `ft` (`t`)\n) \
        ENGINE=InnoDB COMMENT='\n)'";

    fn column(name: &str, extra: &str) -> Column {
        Column {
            name: name.into(),
            extra: extra.into(),
            ..Column::default()
        }
    }

    fn index(name: &str, columns: &[&str]) -> Index {
        Index {
            name: name.into(),
            unique: matches!(name, "PRIMARY" | "u"),
            parts: columns
                .iter()
                .map(|column| IndexPart {
                    column: (!column.is_empty()).then(|| (*column).into()),
                    prefix: false,
                    expression: column.is_empty().then(|| "(`a` + 1)".into()),
                })
                .collect(),
        }
    }

    fn table() -> Table {
        Table {
            columns: vec![
                column("id", "auto_increment"),
                column("a", ""),
                column("t", ""),
                column("v", "VIRTUAL GENERATED"),
            ],
            indexes: vec![
                index("PRIMARY", &["id"]),
                index("u", &["a"]),
                index("n", &["id", "a"]),
                index("a", &["a"]),
                index("we`ird, (x", &["a"]),
                index("f", &[""]),
                index("ft", &["t"]),
                index("v", &["v"]),
            ],
            ..Table::default()
        }
    }

    fn names(deferred: &Deferred) -> Vec<&str> {
        deferred
            .indexes
            .iter()
            .map(|one| one.name.as_str())
            .collect()
    }

    #[test]
    fn plain_indexes_are_spared_with_their_whole_text() {
        let deferred = Deferred::of(&table(), DEFINITION).expect("some");
        assert_eq!(names(&deferred), ["a", "we`ird, (x"]);
        assert_eq!(
            deferred.indexes[0].text,
            "KEY `a` (`a`) COMMENT 'it''s a `quoted` \\\\ back, comma'"
        );
        assert_eq!(
            deferred.indexes[1].text,
            "KEY `we``ird, (x` (`a` DESC) /*!80000 INVISIBLE */"
        );
        let lines: Vec<&str> = deferred.without.split('\n').collect();
        assert_eq!(lines.len(), DEFINITION.split('\n').count() - 2);
        assert!(deferred.without.contains("COMMENT '  KEY `a` (`a`)',\n"));
        assert!(deferred.without.contains("KEY `n` (`id`,`a`),\n  KEY `f` "));
        assert!(
            deferred
                .without
                .ends_with("(`t`)\n) ENGINE=InnoDB COMMENT='\n)'")
        );
        assert_eq!(
            Deferred::between(DEFINITION, &deferred.without),
            Some(deferred)
        );
    }

    #[test]
    fn the_last_line_loses_its_comma() {
        let definition =
            "CREATE TABLE `g` (\n  `a` int,\n  PRIMARY KEY (`a`),\n  KEY `a` (`a`)\n) E";
        let deferred = Deferred::of(&table(), definition).expect("one");
        assert_eq!(
            deferred.without,
            "CREATE TABLE `g` (\n  `a` int,\n  PRIMARY KEY (`a`)\n) E"
        );
    }

    #[test]
    fn what_would_come_back_in_another_order_is_kept() {
        let kept = |last: &str| {
            let definition =
                format!("CREATE TABLE `g` (\n  `a` int,\n  KEY `a` (`a`),\n  {last}\n) E");
            Deferred::of(&table(), &definition)
        };
        assert_eq!(kept("SPATIAL KEY `s` (`g`)"), None);
        assert_eq!(kept("KEY `n` (`id`,`a`)"), None, "a column that counts");
        assert_eq!(kept("KEY `unknown` (`a`)"), None);
        for beside in [
            "KEY `f` (((`a` + 1)))",
            "KEY `v` (`v`)",
            "FULLTEXT KEY `ft` (`t`)",
        ] {
            assert_eq!(names(&kept(beside).expect("one")), ["a"], "{beside}");
        }
        assert_eq!(
            kept("CONSTRAINT `c` FOREIGN KEY (`a`) REFERENCES `p` (`a`)"),
            None
        );
    }

    #[test]
    fn only_plain_indexes_may_be_lacking() {
        let whole = DEFINITION;
        assert_eq!(Deferred::between(whole, whole), None);
        for lost in [
            "  UNIQUE KEY `u` (`a`),\n",
            "  FULLTEXT KEY `ft` (`t`)\n",
            "  PRIMARY KEY (`id`),\n",
        ] {
            let present = whole.replace(lost, "");
            assert_ne!(present, whole);
            assert_eq!(Deferred::between(whole, &present), None, "{lost}");
        }
        let more = whole.replace("  KEY `n` (`id`,`a`)", "  KEY `o` (`id`,`a`)");
        assert_eq!(Deferred::between(whole, &more), None);
        let options = whole
            .replace("  KEY `n` (`id`,`a`),\n", "")
            .replace("InnoDB", "X");
        assert_eq!(Deferred::between(whole, &options), None);
    }

    #[test]
    fn where_somebody_would_replay_it_nothing_is_deferred_unless_asked_for() {
        let alone = Audience {
            site: Site::Primary,
            follows_replica: false,
            readers: Some(0),
        };
        let new = Version::parse("9.7.4");
        let says = |wish, version, audience| speaks_against(wish, version, audience);
        assert_eq!(says(Deferral::Auto, new, alone), None);
        assert!(says(Deferral::Off, new, alone).is_some());
        for audience in [
            Audience {
                readers: Some(1),
                ..alone
            },
            Audience {
                readers: None,
                ..alone
            },
            Audience {
                follows_replica: true,
                ..alone
            },
            Audience {
                site: Site::Replica,
                ..alone
            },
            Audience {
                site: Site::CoPrimary,
                ..alone
            },
        ] {
            assert!(
                says(Deferral::Auto, new, audience).is_some(),
                "{audience:?}"
            );
            assert_eq!(says(Deferral::On, new, audience), None);
            assert!(warning(new, audience).is_some());
        }
    }

    #[test]
    fn versions_with_known_trouble_are_left_out() {
        for (text, expected) in [
            ("5.7.44", false),
            ("8.0.36", false),
            ("8.0.41", true),
            ("8.0.46", true),
            ("8.1.0", false),
            ("8.4.3", false),
            ("8.4.4", true),
            ("9.0.1", false),
            ("9.1.0", false),
            ("9.2.0", true),
            ("9.7.4", true),
            ("10.0.0", true),
        ] {
            assert_eq!(trusted(Version::parse(text)), expected, "{text}");
        }
    }
}
