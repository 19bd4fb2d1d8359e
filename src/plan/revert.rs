//! Whether a finished migration can be swapped back: what its checkpoint table says, against what is there
//! now. Pure.
//!
//! The texts are compared so that nobody reverts to another table, and nobody over a change that no row
//! event tells of. What was the ghost is the table now, and what was the original is the old table: the
//! same definitions, but for the names of the tables and of those constraints that follow them.

use super::Refusal;
use super::constraints::checks_of;
use super::inspection::TableNames;
use super::names::Names;
use super::saved::{Origin, Saved, Seen, Stage};

/// What is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The table's definition without its counter.
    pub table: Option<String>,
    /// That of the table to revert to.
    pub old_table: Option<String>,
    /// The table that the new one would be called is there already.
    pub reverted: bool,
    /// The table to revert to has triggers.
    pub triggers: Vec<String>,
    /// The server that would be written to.
    pub written: Seen,
    /// The server whose log would be followed.
    pub log: Seen,
    /// The log would be followed by GTIDs.
    pub by_gtids: bool,
    /// How the server tells the names of tables apart.
    pub table_names: TableNames,
}

const PLAIN: &str = "the old table is still as it was at the swap: look there for what is missing, or migrate \
                     the table back by another ALTER";

/// What speaks against the way back, all at once.
#[must_use]
pub fn unfit(saved: Option<&Saved>, names: &Names, now: &Present) -> Vec<Refusal> {
    let mut refusals = tables(names, now);
    let (origin, progress) = match saved {
        Some(saved) if !saved.readable => {
            refusals.push(Refusal::new(
                format!(
                    "`{}` was written by another version of tableshift",
                    names.checkpoint
                ),
                "revert with that version",
            ));
            return refusals;
        }
        Some(saved) => (saved.origin.as_ref(), saved.progress.as_ref()),
        None => (None, None),
    };
    let (Some(origin), Some(progress)) = (origin, progress) else {
        refusals.push(Refusal::new(
            format!(
                "`{}`.`{}` doesn't tell from where the log has to be read: no migration of this table by \
                 tableshift was finished here, or it ran with --checkpoint=false",
                names.schema, names.checkpoint
            ),
            PLAIN,
        ));
        return refusals;
    };
    let mut speaks_against = |holds: bool, what: String, next: &str| {
        if !holds {
            refusals.push(Refusal::new(what, next));
        }
    };
    speaks_against(
        origin.replaced().is_none(),
        format!(
            "the migration gave other values to columns that were there before (--backfill): {}; nothing computes \
             back what they would be",
            origin.replaced().unwrap_or_default()
        ),
        "write a migration with --backfill for the way back",
    );
    speaks_against(
        now.table_names.same(&progress.old_table, &names.ghost),
        format!(
            "the old table of the last migration is `{}`, not `{}`",
            progress.old_table, names.ghost
        ),
        "give that one as --old-table",
    );
    speaks_against(
        progress.gtids.is_some() == now.by_gtids,
        "the migration followed the binary log in another way (--gtid)".into(),
        "give or leave out --gtid as it did",
    );
    refusals.extend(definitions(origin, progress.stage, names, now));
    refusals.extend(servers(
        progress.gtids.is_some(),
        [
            ("server", &progress.written, &now.written),
            (
                "server whose binary log is followed",
                &progress.log,
                &now.log,
            ),
        ],
    ));
    refusals
}

/// Tables that were altered since.
fn definitions(origin: &Origin, stage: Stage, names: &Names, now: &Present) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut speaks_against = |holds: bool, what: String, next: &str| {
        if !holds {
            refusals.push(Refusal::new(what, next));
        }
    };
    let migrated = names.ghost_of_migration();
    if let Some(table) = &now.table {
        speaks_against(
            nameless(table, &names.original) == nameless(&origin.ghost, &migrated),
            match stage {
                Stage::Migrating => "the tables were not swapped, or the table was altered since",
                Stage::Swapped | Stage::Reverting => "the table was altered since the migration",
            }
            .into(),
            "alter it back by another migration",
        );
    }
    if let Some(table) = &now.old_table {
        speaks_against(
            nameless(table, &names.ghost) == nameless(&origin.original, &names.original),
            format!(
                "`{}` isn't the old table of this migration, or was altered since",
                names.ghost
            ),
            "give the old table as the migration has left it",
        );
    }
    refusals
}

/// What can be said without knowing anything about the migration.
fn tables(names: &Names, now: &Present) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if now.old_table.is_none() {
        let next = if now.reverted {
            format!(
                "it was reverted already if `{}` has the altered shape",
                names.old
            )
        } else {
            "check --old-table; the old table of `t` is called `_t_del`".into()
        };
        refusals.push(Refusal::new(
            format!("table `{}`.`{}` doesn't exist", names.schema, names.ghost),
            next,
        ));
    } else if now.reverted {
        refusals.push(Refusal::new(
            format!("table `{}`.`{}` already exists", names.schema, names.old),
            "it is what the altered table would be called: drop or rename it",
        ));
    }
    if !now.triggers.is_empty() {
        refusals.push(Refusal::new(
            format!(
                "`{}` has triggers ({}), which would fire for every row that is brought up to date",
                names.ghost,
                now.triggers.join(", ")
            ),
            "drop them, revert, and create them again",
        ));
    }
    let refers = |definition: &String| {
        let mut lines = definition.lines();
        lines.any(|line| line.starts_with("  CONSTRAINT `") && line.contains("` FOREIGN KEY ("))
    };
    if now.old_table.as_ref().is_some_and(refers) {
        refusals.push(Refusal::new(
            format!(
                "`{}` has foreign keys, by which its rows may have changed since the swap",
                names.ghost
            ),
            PLAIN,
        ));
    }
    refusals
}

/// The same server, with nothing of its log lost.
fn servers(by_gtids: bool, pairs: [(&str, &Seen, &Seen); 2]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (which, then, now) in pairs {
        if then.uuid != now.uuid {
            if !by_gtids {
                refusals.push(Refusal::new(
                    format!("this is another {which} than that of the migration"),
                    "revert there; after a failover only what ran with --gtid can be reverted elsewhere",
                ));
            }
        } else if then.started.abs_diff(now.started) > 1 && !(then.flushed && now.flushed) {
            refusals.push(Refusal::new(
                format!(
                    "the {which} was restarted since, and its binary log may have lost its end (sync_binlog \
                     isn't 1)"
                ),
                PLAIN,
            ));
        }
    }
    refusals.dedup();
    refusals
}

/// A definition without the names that follow the table's own.
fn nameless(definition: &str, table: &str) -> String {
    let quoted = format!("`{}`", table.replace('`', "``"));
    let prefix = format!("{table}_chk_");
    let mut text = definition.replacen(&quoted, "`?`", 1);
    for check in checks_of(definition) {
        let name = check.name.to_lowercase();
        if name.starts_with(&prefix.to_lowercase()) {
            let rest = check.name.get(prefix.len()..).unwrap_or_default();
            let quoted = check.name.replace('`', "``");
            text = text.replace(
                &format!("  CONSTRAINT `{quoted}` CHECK "),
                &format!("  CONSTRAINT `?_chk_{rest}` CHECK "),
            );
        }
    }
    // Constraints are shown in the order of their names.
    let lines = text.lines().map(|line| line.trim_end_matches(','));
    let (mut constraints, mut lines): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| line.starts_with("  CONSTRAINT `"));
    constraints.sort_unstable();
    lines.append(&mut constraints);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::saved::Progress;

    const NEW: &str = "CREATE TABLE `_t_gho` (\n  `id` int NOT NULL,\n  CONSTRAINT `_t_gho_chk_1` CHECK \
                       ((`id` > 0))\n) ENGINE=InnoDB";
    const OLD: &str = "CREATE TABLE `t` (\n  `id` bigint NOT NULL,\n  CONSTRAINT `t_chk_1` CHECK ((`id` > \
                       0)),\n  CONSTRAINT `x` CHECK ((`id` < 9))\n) ENGINE=InnoDB";

    fn names() -> Names {
        Names::back("s", "t", None, "_t_del")
    }

    fn saved() -> Saved {
        Saved {
            readable: true,
            origin: Some(Origin {
                alter: "MODIFY id INT".into(),
                original: OLD.into(),
                ghost: NEW.into(),
                ..Origin::default()
            }),
            progress: Some(Progress {
                stage: Stage::Swapped,
                old_table: "_t_del".into(),
                ..Progress::default()
            }),
        }
    }

    fn present() -> Present {
        Present {
            table: Some(NEW.replace("_t_gho", "t")),
            old_table: Some(
                OLD.replace("`t`", "`_t_del`")
                    .replace("t_chk", "_t_del_chk"),
            ),
            reverted: false,
            triggers: vec![],
            written: Seen::default(),
            log: Seen::default(),
            by_gtids: false,
            table_names: TableNames::Exact,
        }
    }

    #[test]
    fn the_tables_of_the_migration_can_be_swapped_back() {
        assert_eq!(unfit(Some(&saved()), &names(), &present()), vec![]);
    }

    #[test]
    fn whatever_has_changed_is_named_and_all_of_it() {
        let changed = Present {
            table: Some(OLD.into()),
            old_table: Some(format!("{NEW} COMMENT='x'")),
            triggers: vec!["trg".into()],
            written: Seen {
                uuid: "another".into(),
                ..Seen::default()
            },
            by_gtids: true,
            ..present()
        };
        let found = unfit(Some(&saved()), &names(), &changed);
        let parts = [
            "has triggers (trg)",
            "--gtid",
            "the table was altered since",
            "isn't the old table of this migration",
            "another server than",
        ];
        for (found, part) in found.iter().zip(parts) {
            assert!(found.what.contains(part), "{found:?}");
        }
        assert_eq!(found.len(), parts.len());
    }

    #[test]
    fn without_a_finished_migration_there_is_no_way_back() {
        let gone = Present {
            old_table: None,
            ..present()
        };
        for saved in [None, Some(Saved::default())] {
            assert_eq!(unfit(saved.as_ref(), &names(), &gone).len(), 2);
        }
        let reverted = Present {
            reverted: true,
            ..gone
        };
        let found = unfit(Some(&saved()), &names(), &reverted);
        assert!(found[0].next.contains("reverted already"), "{found:?}");
        let mut other = saved();
        if let Some(progress) = &mut other.progress {
            progress.old_table = "_t_20261121_del".into();
        }
        assert_eq!(unfit(Some(&other), &names(), &present()).len(), 1);
    }
}
