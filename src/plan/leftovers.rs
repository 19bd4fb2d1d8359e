//! Helper tables of runs that are over: which are ours for certain, and which of them nobody uses. Pure.
//!
//! A table's name proves nothing. What proves it is the changelog: it bears our comment, and one row of it
//! the mark of the run that made it. The ghost and the checkpoint beside such a changelog are that run's,
//! since a run refuses to begin while others have these names. Old tables have no such evidence once the
//! run is over; they are the application's data, and are listed apart, with the checkpoint from which the
//! swap could be reverted. A checkpoint that stands alone bears our comment and is of no use to anybody.

use super::names::Names;
use super::saved;

/// The comment of our changelogs.
pub const CHANGELOG_COMMENT: &str = "tableshift changelog";

/// A table with a helper's name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its comment.
    pub comment: String,
    /// Bytes of its data and indexes, as the engine estimates them.
    pub bytes: u64,
    /// Seconds since it was made or altered.
    pub seconds: u64,
    /// The mark of the run that made it: in changelogs only, and not in those of earlier versions.
    pub mark: Option<String>,
    /// The connection that holds the advisory lock of the table it belongs to by its name.
    pub lock_holder: Option<u64>,
}

/// The helper tables of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// Their schema.
    pub schema: String,
    /// What stands between `_` and the suffix: the table's name, unless the operator chose another.
    pub base: String,
    /// The tables; the changelog is the last, because it is the evidence for the others.
    pub tables: Vec<Table>,
    /// Why they aren't to be touched; `None` when nobody uses them.
    pub in_use: Option<String>,
}

impl Remains {
    /// Name of the advisory lock of the table that they belong to by their name.
    #[must_use]
    pub fn lock(&self) -> String {
        lock_of(&self.schema, &self.base)
    }
}

/// The lock of the table that a helper belongs to by its name.
#[must_use]
pub fn lock_of(schema: &str, base: &str) -> String {
    Names::new(schema, base, None, None).advisory_lock()
}

/// What stands between `_` and one of the suffixes.
#[must_use]
pub fn base_of(name: &str) -> Option<&str> {
    let inner = name.strip_prefix('_')?;
    let suffixes = ["_gho", "_ghc", "_ghk", "_del"];
    let base = suffixes
        .iter()
        .find_map(|suffix| inner.strip_suffix(suffix))?;
    (!base.is_empty()).then_some(base)
}

/// Our helper tables by run, and old tables. `marks` are those of all connections of this program.
#[must_use]
pub fn sort(tables: &[Table], marks: &[String]) -> (Vec<Remains>, Vec<Table>) {
    let changelogs = tables
        .iter()
        .filter(|table| table.name.ends_with("_ghc") && table.comment == CHANGELOG_COMMENT);
    let remains = changelogs.filter_map(|changelog| {
        let base = base_of(&changelog.name)?;
        let beside = |suffix: &str| {
            let name = format!("_{base}{suffix}");
            // Letter by letter, on every server: a run spells its helpers alike, and where letter case
            // matters another spelling is another run's.
            let same = |table: &&Table| table.schema == changelog.schema && table.name == name;
            tables.iter().find(same).cloned()
        };
        let ghost = beside("_gho");
        // Without a ghost it is what leads back to the old table of a finished migration. Without the
        // checkpoint nobody takes an empty ghost of the same name for a copy.
        let leads_back = ghost.is_none() && has(tables, changelog, "_del");
        let checkpoint = beside("_ghk").filter(|_| !leads_back);
        let mut own: Vec<Table> = checkpoint.into_iter().chain(ghost).collect();
        own.push(changelog.clone());
        Some(Remains {
            schema: changelog.schema.clone(),
            base: base.to_owned(),
            tables: own,
            in_use: in_use(changelog, marks),
        })
    });
    let of_finished = tables
        .iter()
        .filter(|table| table.name.ends_with("_ghk") && table.comment.starts_with(saved::COMMENT))
        .filter(|table| !has(tables, table, "_ghc"));
    let (with_old, alone): (Vec<&Table>, Vec<&Table>) =
        of_finished.partition(|table| has(tables, table, "_del"));
    let alone = alone.into_iter().filter_map(|table| {
        Some(Remains {
            schema: table.schema.clone(),
            base: base_of(&table.name)?.to_owned(),
            tables: vec![table.clone()],
            in_use: (!marks.is_empty()).then(|| "runs are connected, and it may be one's".into()),
        })
    });
    let old = tables.iter().filter(|table| table.name.ends_with("_del"));
    let old = old.chain(with_old);
    (remains.chain(alone).collect(), old.cloned().collect())
}

/// Beside this table there is one with the same base and this suffix; an old table may have a time stamp.
fn has(tables: &[Table], table: &Table, suffix: &str) -> bool {
    let Some(base) = base_of(&table.name) else {
        return false;
    };
    let begins = format!("_{base}_");
    tables.iter().any(|other| {
        let name = &other.name;
        other.schema == table.schema && name.starts_with(&begins) && name.ends_with(suffix)
    })
}

/// A run on the same table is alive if one of its connections is; its mark says which table.
fn in_use(changelog: &Table, marks: &[String]) -> Option<String> {
    if let Some(holder) = changelog.lock_holder {
        return Some(format!("connection {holder} holds the advisory lock"));
    }
    match &changelog.mark {
        Some(mark) => {
            let of_table = mark
                .rsplit_once('-')
                .map_or(mark.as_str(), |(table, _)| table);
            let alive = marks.iter().any(|mark| mark.starts_with(of_table));
            alive.then(|| "a run on its table is connected".into())
        }
        None if marks.is_empty() => None,
        None => Some("it doesn't say which run it belongs to, and runs are connected".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, comment: &str, mark: Option<&str>) -> Table {
        Table {
            schema: "shop".into(),
            name: name.into(),
            comment: comment.into(),
            mark: mark.map(str::to_owned),
            ..Table::default()
        }
    }

    fn names(remains: &[Remains]) -> Vec<Vec<&str>> {
        remains
            .iter()
            .map(|one| one.tables.iter().map(|table| table.name.as_str()).collect())
            .collect()
    }

    #[test]
    fn only_what_stands_beside_our_changelog_is_ours() {
        let tables = [
            table("_a_gho", "", None),
            table("_a_ghc", CHANGELOG_COMMENT, Some("tableshift-0a-1")),
            table("_b_gho", "", None),
            table("_b_ghc", "gh-ost changelog", None),
            table("_c_gho", "", None),
            table("_a_del", "", None),
        ];
        let (remains, old) = sort(&tables, &[]);
        assert_eq!(names(&remains), [["_a_gho", "_a_ghc"]]);
        assert_eq!(remains[0].in_use, None);
        assert_eq!(old.len(), 1);
    }

    #[test]
    fn a_checkpoint_goes_with_its_run_with_its_old_table_or_alone() {
        let tables = [
            table("_a_ghk", saved::COMMENT_NOW, None),
            table("_a_gho", "", None),
            table("_a_ghc", CHANGELOG_COMMENT, Some("tableshift-0a-1")),
            table("_b_ghk", saved::COMMENT_NOW, None),
            table("_b_20261121085351_del", "", None),
            table("_c_ghk", saved::COMMENT_NOW, None),
            table("_d_ghk", "somebody's", None),
        ];
        let (remains, old) = sort(&tables, &[]);
        assert_eq!(
            names(&remains),
            [vec!["_a_ghk", "_a_gho", "_a_ghc"], vec!["_c_ghk"]]
        );
        let old: Vec<&str> = old.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(old, ["_b_20261121085351_del", "_b_ghk"]);
        let alive = ["tableshift-0c-77".to_owned()];
        assert!(sort(&tables, &alive).0[1].in_use.is_some());
    }

    #[test]
    fn what_leads_back_to_an_old_table_is_left() {
        let mut tables = vec![
            table("_a_ghc", CHANGELOG_COMMENT, Some("tableshift-0a-1")),
            table("_a_ghk", "", None),
            table("_a_20261121085351_del", "", None),
        ];
        let (remains, _) = sort(&tables, &[]);
        assert_eq!(names(&remains), [["_a_ghc"]]);
        tables.push(table("_a_gho", "", None));
        let (remains, _) = sort(&tables, &[]);
        assert_eq!(names(&remains), [["_a_ghk", "_a_gho", "_a_ghc"]]);
    }

    #[test]
    fn whose_run_may_be_alive_is_left() {
        let marked = |mark| table("_a_ghc", CHANGELOG_COMMENT, mark);
        let alive = ["tableshift-0a-77".to_owned()];
        let in_use = |table: Table, marks: &[String]| sort(&[table], marks).0[0].in_use.is_some();
        assert!(in_use(marked(Some("tableshift-0a-1")), &alive));
        assert!(!in_use(marked(Some("tableshift-0b-1")), &alive));
        assert!(in_use(marked(None), &alive));
        assert!(!in_use(marked(None), &[]));
        let locked = Table {
            lock_holder: Some(3),
            ..marked(Some("tableshift-0b-1"))
        };
        assert!(in_use(locked, &[]));
    }
}
