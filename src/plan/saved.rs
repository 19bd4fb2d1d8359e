//! What a run has left so that another one can go on: the checkpoint table's content, and whether it fits
//! the migration that is asked for now. Pure.
//!
//! The table is `_TABLE_ghk`. Its comment says that it is ours and in which format; its first row says what
//! the migration is, once and for all, its second one how far it is. The position and the keys in it
//! are true when they are written and stay true (`core::checkpoint`); the texts are there to be compared,
//! so that nobody goes on with another ALTER, another table or other expressions than those by which the
//! rows so far were copied.

use super::Refusal;
use super::backfill::BackfilledColumn;
use super::indexes::Deferred;
use super::key::Key;

/// What the comments of our checkpoint tables begin with.
pub const COMMENT: &str = "tableshift checkpoint";
/// The comment of a table in the present format. Keys are stored as [`Key`] encodes them, so a change of
/// that encoding is a change of the format.
pub const COMMENT_NOW: &str = "tableshift checkpoint, format 1";

/// A server, as a run saw it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// `@@server_uuid`.
    pub uuid: String,
    /// When it started, in seconds since 1970.
    pub started: i64,
    /// Its binary log is on disk with every commit (`sync_binlog=1`).
    pub flushed: bool,
}

/// What the migration is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The ALTER, as it was given.
    pub alter: String,
    /// The original's definition, without its counter.
    pub original: String,
    /// The ghost's.
    pub ghost: String,
    /// By which expressions and settings rows are copied.
    pub statements: String,
    /// The moment that stands for the migration's time in defaults, in the server's zone.
    pub now: String,
    /// The same in UTC.
    pub now_utc: String,
}

/// How far the copy is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CopiedTo {
    /// Nothing is copied.
    #[default]
    Nothing,
    /// Up to and including this key.
    Key(Key),
    /// Everything.
    End,
}

/// Where a migration and its way back stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// The tables aren't swapped, as far as is written down.
    #[default]
    Migrating,
    /// They are: the rename stands in the log behind the position, and behind it everything that happened
    /// to the new table.
    Swapped,
    /// The old table was brought up to date as far as the position, which is behind the rename.
    Reverting,
}

impl Stage {
    /// As it is written down.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Migrating => 0,
            Self::Swapped => 1,
            Self::Reverting => 2,
        }
    }

    /// The stage that is written down so.
    #[must_use]
    pub fn of(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Migrating),
            1 => Some(Self::Swapped),
            2 => Some(Self::Reverting),
            _ => None,
        }
    }
}

/// How far the migration is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// The checkpoint's number.
    pub number: u64,
    /// Where it stands.
    pub stage: Stage,
    /// What the table with the old shape is called, once it is swapped.
    pub old_table: String,
    /// The server that the rows are written to.
    pub written: Seen,
    /// The server whose log is followed.
    pub log: Seen,
    /// From where the log has to be read: file.
    pub file: String,
    /// And byte.
    pub offset: u64,
    /// Or, when it is followed by GTIDs, what has been read.
    pub gtids: Option<String>,
    /// How far the copy is.
    pub copied: CopiedTo,
    /// Keys up to there whose rows the copy passed over, and which are to be refreshed.
    pub passed_over: Vec<Key>,
    /// Rows copied.
    pub rows_copied: u64,
}

/// The content of a checkpoint table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saved {
    /// The format is the present one; otherwise nothing else is known.
    pub readable: bool,
    /// The first row.
    pub origin: Option<Origin>,
    /// The second row.
    pub progress: Option<Progress>,
}

impl Saved {
    /// There is something to go on from.
    #[must_use]
    pub fn resumable(&self) -> bool {
        !self.readable
            || self.origin.is_some()
                && self
                    .progress
                    .as_ref()
                    .is_some_and(|progress| progress.stage == Stage::Migrating)
    }

    /// A run of ours ended before its first checkpoint.
    #[must_use]
    pub fn worthless(&self) -> bool {
        self.readable && self.progress.is_none()
    }
}

/// What is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present<'a> {
    /// The ALTER that is asked for.
    pub alter: &'a str,
    /// The original's definition without its counter.
    pub original: Option<String>,
    /// The ghost's, if there is one.
    pub ghost: Option<String>,
    /// There is a changelog of ours.
    pub changelog: bool,
    /// The server that would be written to.
    pub written: Seen,
    /// The server whose log would be followed.
    pub log: Seen,
    /// The log would be followed by GTIDs.
    pub by_gtids: bool,
}

const START_OVER: &str = "start over with --no-resume";

/// What speaks against going on, all at once.
#[must_use]
pub fn unfit(saved: &Saved, now: &Present<'_>) -> Vec<Refusal> {
    let (Some(origin), Some(progress)) = (&saved.origin, &saved.progress) else {
        return vec![Refusal::new(
            "an earlier run was made by another version of tableshift, whose checkpoint can't be read",
            format!("go on with that version, or {START_OVER}"),
        )];
    };
    let shape = now.original.as_deref().and_then(body);
    if now.ghost.is_none() && shape.is_some() && shape == body(&origin.ghost) {
        return vec![Refusal::new(
            "an earlier run has swapped the tables and ended before it could say so: the table has the \
             shape that its ALTER gave it",
            "look at docs/recovery.md; for another change of this table add --no-resume",
        )];
    }
    let mut refusals = Vec::new();
    let mut speaks_against = |holds: bool, what: String, next: String| {
        if !holds {
            refusals.push(Refusal::new(what, next));
        }
    };
    let again = format!("run the command of that run again, or {START_OVER}");
    speaks_against(
        origin.alter.trim() == now.alter.trim(),
        "an earlier run that can be continued had another ALTER".into(),
        again.clone(),
    );
    speaks_against(
        now.original.as_ref() == Some(&origin.original),
        "the table was altered since the run that could be continued".into(),
        START_OVER.into(),
    );
    // Some of its indexes may still have to be built.
    let same_ghost = |ghost: &String| {
        *ghost == origin.ghost || Deferred::between(&origin.ghost, ghost).is_some()
    };
    speaks_against(
        now.ghost.as_ref().is_some_and(same_ghost),
        match now.ghost {
            Some(_) => {
                "the ghost table no longer has the shape that the earlier run gave it".into()
            }
            None => "the ghost table of the run that could be continued is gone".into(),
        },
        START_OVER.into(),
    );
    speaks_against(
        now.changelog,
        "the changelog of the run that could be continued is gone".into(),
        START_OVER.into(),
    );
    speaks_against(
        progress.gtids.is_some() == now.by_gtids,
        "the earlier run followed the binary log in another way (--gtid)".into(),
        again,
    );
    refusals.extend(other_servers(progress, now));
    refusals
}

/// A definition without its first line, which has the table's name.
fn body(definition: &str) -> Option<&str> {
    definition.split_once('\n').map(|(_, body)| body)
}

/// Another server, or one that may have lost the end of its log.
fn other_servers(progress: &Progress, now: &Present<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let pairs = [
        ("server", &progress.written, &now.written),
        (
            "server whose binary log is followed",
            &progress.log,
            &now.log,
        ),
    ];
    for (which, then, now) in pairs {
        let restarted = then.started.abs_diff(now.started) > 1;
        if then.uuid != now.uuid && progress.gtids.is_none() {
            refusals.push(Refusal::new(
                format!("this is another {which} than that of the run that could be continued"),
                "go on there; after a failover only a run with --gtid can be continued elsewhere",
            ));
        } else if then.uuid == now.uuid && restarted && !(then.flushed && now.flushed) {
            refusals.push(Refusal::new(
                format!(
                    "the {which} was restarted since, and its binary log may have lost its end \
                     (sync_binlog isn't 1)"
                ),
                START_OVER,
            ));
        }
    }
    refusals
}

/// In front of the names of columns that a backfill fills, and of those among them whose values it leaves
/// behind.
const FILLED: &str = "\n-- backfilled: ";
const REPLACED: &str = "\n-- values left behind: ";

/// What is written down of backfills behind the expressions; nothing without one.
#[must_use]
pub fn note_backfilled(backfilled: &[BackfilledColumn]) -> String {
    let names = |chosen: fn(&&BackfilledColumn) -> bool| {
        let chosen = backfilled.iter().filter(chosen);
        let names: Vec<&str> = chosen.map(|column| column.types.to.name.as_str()).collect();
        names.join(", ")
    };
    let (filled, replaced) = (names(|_| true), names(|column| column.replaces));
    if filled.is_empty() {
        return String::new();
    }
    format!("{FILLED}{filled}{REPLACED}{replaced}")
}

impl Origin {
    /// The columns that were backfilled.
    #[must_use]
    pub fn backfilled(&self) -> Vec<&str> {
        let notes = self.statements.rsplit_once(FILLED);
        let names = notes.and_then(|(_, notes)| notes.split_once(REPLACED));
        names.map_or_else(Vec::new, |(names, _)| names.split(", ").collect())
    }

    /// Those of them whose earlier values were left behind, for messages: no way leads back to them.
    #[must_use]
    pub fn replaced(&self) -> Option<&str> {
        let (_, names) = self.statements.rsplit_once(REPLACED)?;
        (!names.is_empty()).then_some(names)
    }
}

/// Keys as one string of bytes: each with its length in front.
#[must_use]
pub fn pack(keys: &[Key]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for key in keys {
        let length = u32::try_from(key.size()).unwrap_or(u32::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(key.encoded());
    }
    bytes
}

/// The keys of [`pack`]; `None` when these bytes aren't any.
#[must_use]
pub fn unpack(mut bytes: &[u8]) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (key, behind) = rest.split_at_checked(length)?;
        keys.push(Key::from_bytes(key));
        bytes = behind;
    }
    bytes.is_empty().then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(uuid: &str, started: i64, flushed: bool) -> Seen {
        Seen {
            uuid: uuid.into(),
            started,
            flushed,
        }
    }

    fn saved() -> Saved {
        Saved {
            readable: true,
            origin: Some(Origin {
                alter: "ADD b INT".into(),
                original: "t".into(),
                ghost: "g".into(),
                ..Origin::default()
            }),
            progress: Some(Progress {
                number: 7,
                written: seen("one", 100, true),
                log: seen("one", 100, true),
                ..Progress::default()
            }),
        }
    }

    fn present() -> Present<'static> {
        Present {
            alter: " ADD b INT",
            original: Some("t".into()),
            ghost: Some("g".into()),
            changelog: true,
            written: seen("one", 101, true),
            log: seen("one", 101, true),
            by_gtids: false,
        }
    }

    #[test]
    fn the_same_migration_on_the_same_server_goes_on() {
        assert!(saved().resumable());
        assert_eq!(unfit(&saved(), &present()), vec![]);
    }

    #[test]
    fn whatever_has_changed_is_named_and_all_of_it() {
        let changed = Present {
            alter: "ADD c INT",
            original: Some("other".into()),
            ghost: None,
            changelog: false,
            written: seen("two", 1, true),
            log: seen("two", 1, true),
            by_gtids: true,
        };
        let found = unfit(&saved(), &changed);
        let parts = [
            "another ALTER",
            "was altered",
            "ghost table of the run that could be continued is gone",
            "changelog",
            "--gtid",
            "another server than",
            "another server whose",
        ];
        for (found, part) in found.iter().zip(parts) {
            assert!(found.what.contains(part), "{found:?}");
        }
        assert_eq!(found.len(), parts.len());
    }

    #[test]
    fn tables_that_were_swapped_without_a_word_are_recognized() {
        let mut before = saved();
        if let Some(origin) = &mut before.origin {
            origin.ghost = "CREATE TABLE `_t_gho` (\n  `id` int\n)".into();
        }
        let after = Present {
            original: Some("CREATE TABLE `t` (\n  `id` int\n)".into()),
            ghost: None,
            ..present()
        };
        let found = unfit(&before, &after);
        assert!(found.len() == 1 && found[0].what.contains("has swapped the tables"));
    }

    #[test]
    fn a_restart_matters_only_where_the_log_can_lose_its_end() {
        let restarted = |flushed| Present {
            written: seen("one", 200, flushed),
            log: seen("one", 200, flushed),
            ..present()
        };
        assert_eq!(unfit(&saved(), &restarted(true)), vec![]);
        assert!(!unfit(&saved(), &restarted(false)).is_empty());
        let mut before = saved();
        if let Some(progress) = &mut before.progress {
            progress.written.flushed = false;
        }
        assert!(!unfit(&before, &restarted(true)).is_empty());
    }

    #[test]
    fn after_a_failover_gtids_tell_where_to_go_on() {
        let mut saved = saved();
        if let Some(progress) = &mut saved.progress {
            progress.gtids = Some("u:1-5".into());
        }
        let elsewhere = Present {
            written: seen("two", 1, false),
            log: seen("two", 1, false),
            by_gtids: true,
            ..present()
        };
        assert_eq!(unfit(&saved, &elsewhere), vec![]);
    }

    #[test]
    fn an_end_without_a_checkpoint_or_with_swapped_tables_is_nothing_to_go_on_from() {
        let mut swapped = saved();
        if let Some(progress) = &mut swapped.progress {
            progress.stage = Stage::Swapped;
        }
        assert!(!swapped.resumable());
        let early = Saved {
            progress: None,
            ..saved()
        };
        assert!(!early.resumable());
        let unreadable = Saved::default();
        assert!(unreadable.resumable(), "it may be somebody's hours of work");
        assert_eq!(unfit(&unreadable, &present()).len(), 1);
    }

    #[test]
    fn keys_come_back_as_they_were() {
        let keys = vec![
            Key::from_bytes(b"a"),
            Key::from_bytes(b""),
            Key::from_bytes(&[0; 300]),
        ];
        assert_eq!(unpack(&pack(&keys)), Some(keys.clone()));
        assert_eq!(unpack(&[]), Some(vec![]));
        let mut cut = pack(&keys);
        cut.pop();
        assert_eq!(unpack(&cut), None);
    }
}
