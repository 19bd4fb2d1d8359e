//! The checks before the first write: one function each, all refusals shown together.

use super::alter::Alter;
use super::inspection::{ForeignKey, Inspection, Log, Version, same_name};
use super::leftovers::CHANGELOG_COMMENT;
use super::names::Names;
use super::saved::{self, Saved, Stage};
use super::{Companions, Earlier, Refusal, Wishes, constraints, history, topology};

/// Oldest MySQL: 8.0.19 has the VALUES statement (manual, "VALUES Statement"), SKIP LOCKED
/// (8.0.1) and RENAME under LOCK TABLES (8.0.13).
const OLDEST: Version = Version {
    major: 8,
    minor: 0,
    patch: 19,
};

type Check = fn(&Inspection, &Alter, &Names, &Wishes) -> Vec<Refusal>;

const CHECKS: [Check; 21] = [
    distinct_names,
    no_history,
    version,
    packet,
    metadata_locks,
    binlog,
    stream_filter,
    role,
    privileges,
    table_exists,
    engine,
    names_as_the_server_has_them,
    quoting,
    alter_clauses,
    rename_table,
    alter_names_this_table,
    triggers,
    foreign_keys,
    constraints,
    leftovers,
    unique_key_at_all,
];

/// Everything that speaks against this migration before the ghost exists.
#[must_use]
pub(super) fn run(
    facts: &Inspection,
    alter: &Alter,
    names: &Names,
    wishes: &Wishes,
) -> Vec<Refusal> {
    CHECKS
        .iter()
        .flat_map(|check| check(facts, alter, names, wishes))
        .collect()
}

/// With `--force-table-names` a helper could get the original's own name.
fn distinct_names(_: &Inspection, _: &Alter, names: &Names, _: &Wishes) -> Vec<Refusal> {
    let all = [
        &names.original,
        &names.ghost,
        &names.old,
        &names.changelog,
        &names.checkpoint,
    ];
    let twice = all.iter().enumerate().find(|(position, name)| {
        all.iter()
            .skip(position + 1)
            .any(|other| same_name(name, other))
    });
    match twice {
        Some((_, name)) => vec![Refusal::new(
            format!("`{name}` would be the name of two tables of this migration"),
            "choose another name with --force-table-names",
        )],
        None => vec![],
    }
}

/// The history can't be written to while it is migrated.
fn no_history(facts: &Inspection, _: &Alter, names: &Names, _: &Wishes) -> Vec<Refusal> {
    let same = |one: &str, other: &str| facts.server.table_names.same(one, other);
    if !same(&names.original, history::TABLE) {
        return vec![];
    }
    vec![Refusal::new(
        format!(
            "`{}` is where tableshift records its own runs",
            names.original
        ),
        "it is small: leave it as it is, or rename it away, and a new one is made",
    )]
}

fn version(facts: &Inspection, _: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    let text = facts.server.version_text.to_ascii_lowercase();
    if text.contains("mariadb") {
        return vec![Refusal::new(
            format!("the server is MariaDB ({})", facts.server.version_text),
            "this version migrates on MySQL 8.0.19 to 9.x only",
        )];
    }
    if facts.server.version >= OLDEST {
        return vec![];
    }
    vec![Refusal::new(
        format!(
            "the server is MySQL {}, older than {OLDEST}",
            facts.server.version
        ),
        "upgrade the server, or use gh-ost for this one",
    )]
}

/// 2 000 keys of 3 072 bytes in hexadecimal are one statement under the cut-over's lock. And a row's
/// values without its long ones take at most 64 KiB (manual, "Row Size Limits"), three times
/// that after a change of character set; a concatenation beyond the packet would be NULL and hide
/// the row from verification.
const PACKET_MIN: u64 = 16 << 20;

fn packet(facts: &Inspection, _: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    let bytes = facts.server.max_allowed_packet;
    if bytes >= PACKET_MIN {
        return vec![];
    }
    vec![Refusal::new(
        format!("max_allowed_packet is {bytes} bytes"),
        format!("SET GLOBAL max_allowed_packet to {PACKET_MIN} or more"),
    )]
}

fn metadata_locks(facts: &Inspection, _: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    if facts.server.metadata_locks_visible {
        return vec![];
    }
    vec![Refusal::new(
        "metadata locks can't be seen (performance_schema or its instrument \
         wait/lock/metadata/sql/mdl is off, or performance_schema_max_metadata_locks was exceeded)",
        "UPDATE performance_schema.setup_instruments SET ENABLED='YES' WHERE \
         NAME='wait/lock/metadata/sql/mdl'; the start of a migration has to see open transactions",
    )]
}

fn binlog(facts: &Inspection, _: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    let formats = match facts.setting.log {
        Log::Own => topology::ROWS,
        // The replica logs as rows what it gets, whatever it got; but READ COMMITTED, in which we write,
        // is refused under STATEMENT (1665).
        Log::Replica => topology::ROWS_OR_MIXED,
    };
    let mut refusals = topology::logs(&facts.server, formats);
    if facts.setting.gtid && facts.setting.log == Log::Own {
        refusals.extend(topology::has_gtids(&facts.server));
    }
    refusals
}

fn stream_filter(facts: &Inspection, _: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    if !facts.server.binlog_filtered {
        return vec![];
    }
    vec![Refusal::new(
        "the server runs with binlog_do_db or binlog_ignore_db, which may hide changes",
        "remove the filters; what is not logged can't be followed",
    )]
}

fn role(facts: &Inspection, _: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    topology::may_be_written(&facts.server, facts.setting.site)
}

fn privileges(facts: &Inspection, _: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    topology::may_do(&facts.server, &facts.privileges)
}

fn table_exists(facts: &Inspection, _: &Alter, names: &Names, _: &Wishes) -> Vec<Refusal> {
    match &facts.original {
        None => vec![Refusal::new(
            format!(
                "table `{}`.`{}` doesn't exist",
                names.schema, names.original
            ),
            "check --database and --table, and that the account may see the table",
        )],
        Some(table) if table.kind != "BASE TABLE" => vec![Refusal::new(
            format!(
                "`{}`.`{}` is a {}",
                names.schema,
                names.original,
                table.kind.to_lowercase()
            ),
            "only base tables can be migrated",
        )],
        Some(_) => vec![],
    }
}

fn engine(facts: &Inspection, _: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    match &facts.original {
        Some(table)
            if table.kind == "BASE TABLE" && !table.engine.eq_ignore_ascii_case("InnoDB") =>
        {
            vec![Refusal::new(
                format!("the table's engine is {}", table.engine),
                "only InnoDB has the record locks that make the copy exact; use a plain ALTER",
            )]
        }
        Some(_) | None => vec![],
    }
}

/// Helpers, locks and CHECK names are made from the name as given; with another spelling they would be
/// those of another table.
fn names_as_the_server_has_them(
    facts: &Inspection,
    _: &Alter,
    names: &Names,
    _: &Wishes,
) -> Vec<Refusal> {
    match &facts.original {
        Some(table) if !table.name.is_empty() && table.name != names.original => {
            vec![Refusal::new(
                format!(
                    "the table is called `{}` on the server, not `{}`",
                    table.name, names.original
                ),
                format!("write --table={}", table.name),
            )]
        }
        Some(_) | None => vec![],
    }
}

/// The ALTER is read, here and by the session that runs it, with plain quotes and backslashes.
fn quoting(facts: &Inspection, alter: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    let modes = ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"];
    let marks = ['\\', '"'];
    modes
        .iter()
        .zip(marks)
        .filter(|(mode, mark)| {
            facts.server.sql_mode.contains(**mode) && alter.clauses.contains(*mark)
        })
        .map(|(mode, mark)| {
            Refusal::new(
                format!("the server's sql_mode has {mode}, and the ALTER contains {mark}"),
                "write it so that it means the same in every mode: a string without backslashes, names in \
                 back-quotes, strings in single quotes",
            )
        })
        .collect()
}

fn alter_clauses(_: &Inspection, alter: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    alter
        .refused
        .iter()
        .map(|clause| {
            Refusal::new(
                format!(
                    "the ALTER contains a clause that makes no sense here: {}",
                    clause.text
                ),
                "leave it out",
            )
        })
        .collect()
}

fn rename_table(_: &Inspection, alter: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    match &alter.renames_table {
        Some(to) => vec![Refusal::new(
            format!("the ALTER renames the table to `{to}`"),
            "migrate first, then RENAME TABLE by itself (it takes no time)",
        )],
        None => vec![],
    }
}

fn alter_names_this_table(
    facts: &Inspection,
    alter: &Alter,
    names: &Names,
    _: &Wishes,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut differs = |what: &str, said: &Option<String>, ours: &str| {
        let other = |said: &&str| !facts.server.table_names.same(said, ours);
        if let Some(said) = said.as_deref().filter(other) {
            refusals.push(Refusal::new(
                format!("--alter speaks of {what} `{said}`, the command line of `{ours}`"),
                "make them agree, or leave one out",
            ));
        }
    };
    differs("schema", &alter.schema, &names.schema);
    differs("table", &alter.table, &names.original);
    refusals
}

fn triggers(facts: &Inspection, _: &Alter, _: &Names, wishes: &Wishes) -> Vec<Refusal> {
    if facts.triggers.is_empty() || wishes.triggers == Companions::DealtWith {
        return vec![];
    }
    vec![Refusal::new(
        format!("the table has triggers: {}", facts.triggers.join(", ")),
        "they would stay with the old table; --include-triggers takes them along",
    )]
}

fn foreign_keys(facts: &Inspection, alter: &Alter, names: &Names, wishes: &Wishes) -> Vec<Refusal> {
    let this = format!("{}.{}", names.schema, names.original);
    let refusal = |key: &ForeignKey| {
        if facts.server.table_names.same(&key.parent, &this) {
            return Some(Refusal::new(
                format!(
                    "{} refers to this table by foreign key `{}`",
                    key.child, key.name
                ),
                "a rename would leave the constraint with the old table; drop it first, or use a \
                 plain ALTER",
            ));
        }
        let what = format!(
            "this table refers to {} by foreign key `{}`",
            key.parent, key.name
        );
        if wishes.foreign_keys == Companions::Refused {
            return Some(Refusal::new(
                what,
                "a rename would leave the constraint with the old table; drop it first, give it up \
                 with --discard-foreign-keys, or use a plain ALTER",
            ));
        }
        (key.cascades && !facts.server.logs_cascades).then(|| {
            Refusal::new(
                format!("{what}, and the server doesn't log what it changes by it"),
                "drop the constraint first: changes that are in no log can't be followed (MySQL 9.6 \
                 and later log them, unless innodb_native_foreign_keys is ON)",
            )
        })
    };
    let mut refusals: Vec<Refusal> = facts.foreign_keys.iter().filter_map(refusal).collect();
    refusals.extend(unseen_relatives(facts));
    if alter.adds_foreign_key {
        refusals.push(Refusal::new(
            "the ALTER adds a foreign key",
            "add it by a plain ALTER with foreign_key_checks=0 after the migration",
        ));
    }
    refusals
}

/// The server's locks tell of relatives that the catalogue hides from this account.
fn unseen_relatives(facts: &Inspection) -> Option<Refusal> {
    // Triggers reach tables without any foreign key; then it takes an account that sees them all.
    if !facts.triggers.is_empty() && facts.privileges.sees_every_schema {
        return None;
    }
    let same = |one: &str, other: &str| facts.server.table_names.same(one, other);
    let seen = |relative: &&String| {
        let mut keys = facts.foreign_keys.iter();
        keys.any(|key| same(&key.child, relative) || same(&key.parent, relative))
    };
    let relatives = facts.relatives.iter().filter(|relative| !seen(relative));
    let unseen: Vec<&str> = relatives.map(String::as_str).collect();
    (!unseen.is_empty()).then(|| {
        Refusal::new(
            format!(
                "changes of this table reach {}, by a foreign key or trigger that the account can't see",
                unseen.join(", ")
            ),
            "look with an account that sees all schemas (SELECT ON *.*), and drop the foreign key first",
        )
    })
}

fn constraints(facts: &Inspection, alter: &Alter, names: &Names, _: &Wishes) -> Vec<Refusal> {
    match &facts.original {
        Some(original) => {
            let mut refusals = constraints::unclear(original, alter, names);
            refusals.extend(constraints::too_long_in_a_copy(original, names));
            refusals
        }
        None => vec![],
    }
}

/// Tables under helpers' names that no run has made.
fn foreign(facts: &Inspection, names: &Names) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let found = |name: &str| {
        let mut found = facts.leftovers.iter();
        found.find(|leftover| facts.server.table_names.same(&leftover.name, name))
    };
    let foreign = [
        found(&names.changelog).filter(|table| {
            ![CHANGELOG_COMMENT, "gh-ost changelog"].contains(&table.comment.as_str())
        }),
        found(&names.checkpoint).filter(|table| {
            !table.comment.starts_with(saved::COMMENT) && table.first_column != "gh_ost_chk_id"
        }),
    ];
    for table in foreign.into_iter().flatten() {
        refusals.push(Refusal::new(
            format!(
                "table `{}`.`{}` is not one of ours",
                names.schema, table.name
            ),
            "rename it, or choose other helper names with --force-table-names",
        ));
    }
    refusals
}

fn leftovers(facts: &Inspection, _: &Alter, names: &Names, wishes: &Wishes) -> Vec<Refusal> {
    let mut refusals = foreign(facts, names);
    let found = |name: &str| {
        let mut found = facts.leftovers.iter();
        found.find(|leftover| facts.server.table_names.same(&leftover.name, name))
    };
    if names.reverts {
        return refusals;
    }
    let resumable = facts.saved.as_ref().is_some_and(Saved::resumable);
    refusals.extend(half_reverted(facts, names, wishes));
    let dropped = wishes.earlier == Earlier::Dropped;
    // Whose ghost it is is told by our changelog and checkpoint table, which are made before it. Without a
    // checkpoint in there the ghost isn't worth asking for.
    let changelog = found(&names.changelog);
    let beside_ours = changelog.is_some_and(|table| table.comment == CHANGELOG_COMMENT);
    let ghost_is_ours = facts.saved.is_some() && beside_ours;
    let worthless =
        beside_ours && (facts.ghost_empty || facts.saved.as_ref().is_some_and(Saved::worthless));
    for (name, allowed, flag) in [
        (
            &names.ghost,
            wishes.drop_ghost_first || dropped && ghost_is_ours || worthless,
            "--initially-drop-ghost-table",
        ),
        (
            &names.old,
            wishes.drop_old_first,
            "--initially-drop-old-table",
        ),
    ] {
        if found(name).is_none() || name == &names.ghost && resumable && !allowed {
            continue;
        }
        if name == &names.ghost && allowed && !wishes.execute {
            refusals.push(Refusal::of_trial(
                format!("table `{}`.`{name}` already exists", names.schema),
                "without --execute nothing is dropped: drop it for a trial, or add --execute",
            ));
        }
        if !allowed {
            refusals.push(Refusal::new(
                format!("table `{}`.`{name}` already exists", names.schema),
                format!("drop or rename it, or have it dropped with {flag}"),
            ));
        }
    }
    // A trial's ghost beside it, killed, would be taken for that run's copy.
    if !wishes.execute && dropped && resumable && found(&names.ghost).is_none() {
        refusals.push(Refusal::of_trial(
            format!(
                "table `{}`.`{}` of an earlier run is there",
                names.schema, names.checkpoint
            ),
            "without --execute nothing is dropped: drop it for a trial, or add --execute",
        ));
    }
    if wishes.earlier == Earlier::Required && !resumable {
        refusals.push(Refusal::new(
            "--resume: no earlier run of this table can be continued",
            "leave the flag out to begin anew",
        ));
    }
    refusals
}

/// What a migration would begin with, the way back of the last one may still need.
fn half_reverted(facts: &Inspection, names: &Names, wishes: &Wishes) -> Option<Refusal> {
    let progress = facts.saved.as_ref()?.progress.as_ref()?;
    let given_up = wishes.earlier == Earlier::Dropped || wishes.drop_old_first;
    (progress.stage == Stage::Reverting && !given_up).then(|| {
        Refusal::new(
            format!(
                "a revert of the last migration of `{}` was begun and isn't finished",
                names.original
            ),
            format!(
                "finish it with --revert --old-table={}, or give it up: add --no-resume",
                progress.old_table
            ),
        )
    })
}

fn unique_key_at_all(facts: &Inspection, _: &Alter, _: &Names, _: &Wishes) -> Vec<Refusal> {
    match &facts.original {
        Some(table) if !table.indexes.iter().any(|index| index.unique) => vec![Refusal::new(
            "the table has no unique key by which rows could be paired",
            "add a primary key first (an invisible AUTO_INCREMENT column will do)",
        )],
        Some(_) | None => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::alter::parse;
    use crate::plan::inspection::Table;

    #[test]
    fn a_name_in_another_spelling_is_told() {
        let facts = Inspection {
            original: Some(Table {
                name: "orders".into(),
                ..Table::default()
            }),
            ..Inspection::default()
        };
        let alter = parse("FORCE").expect("a good ALTER");
        let check = |name: &str| {
            let names = Names::new("shop", name, None, None);
            names_as_the_server_has_them(&facts, &alter, &names, &Wishes::default())
        };
        assert!(check("orders").is_empty());
        let refusals = check("ORDERS");
        assert!(
            refusals
                .iter()
                .any(|refusal| refusal.next == "write --table=orders")
        );
    }
}
