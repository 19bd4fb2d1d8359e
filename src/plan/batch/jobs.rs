//! From migrations and patterns to jobs: one ALTER of one table, with an id that stays.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{Flags, Manifest, Migration, Server, before, fits, is_pattern};
use crate::limits;
use crate::plan::history;
use crate::plan::names::digest;

/// One migration of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Made of server, schema, table, ALTER and backfills, so that it is the same in every run.
    pub id: String,
    /// Index of its migration.
    pub migration: usize,
    /// Index of its server.
    pub server: usize,
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
}

fn id(server: &Server, migration: &Migration, (schema, table): (&str, &str)) -> String {
    let backfills = migration.backfills.iter().map(String::as_str);
    let texts = [&server.name, schema, table, &migration.alter];
    let texts: Vec<&str> = texts.into_iter().chain(backfills).collect();
    format!("{:016x}", digest(&texts.join("\0")))
}

/// The job of a row of the state, if it is one of the manifest as it is now, whatever its migration was called
/// when it was written.
#[must_use]
pub fn known(
    manifest: &Manifest,
    row_id: &str,
    server: &str,
    (schema, table): (&str, &str),
) -> Option<Job> {
    let server = manifest.servers.iter().position(|s| s.name == server)?;
    let of = manifest.servers.get(server)?;
    let same = |migration: &Migration| id(of, migration, (schema, table)) == row_id;
    Some(Job {
        id: row_id.to_owned(),
        migration: manifest.migrations.iter().position(same)?,
        server,
        schema: schema.to_owned(),
        table: table.to_owned(),
    })
}

/// What is found on a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Its tables: schema and name.
    pub tables: BTreeSet<(String, String)>,
    /// Which server it is.
    pub uuid: String,
    /// Servers that it follows.
    pub follows: Vec<String>,
}

/// What is found on a server; `None` if it can't be reached.
pub type Tables = Option<Found>;

/// What a manifest means at present.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expansion {
    /// The jobs, in the order in which they are begun.
    pub jobs: Vec<Job>,
    /// Migrations of which more jobs may come to light, because a server can't be reached.
    pub incomplete: BTreeSet<usize>,
    /// What forbids to begin.
    pub problems: Vec<String>,
}

/// Finds the jobs; `tables` are by server.
#[must_use]
pub fn expand(manifest: &Manifest, tables: &[Tables]) -> Expansion {
    let mut expansion = Expansion::default();
    for (index, migration) in manifest.migrations.iter().enumerate() {
        let before = expansion.jobs.len();
        for (server, found) in manifest.servers.iter().enumerate().zip(tables) {
            let of_server = of_server(
                migration,
                server.1,
                found.as_ref().map(|found| &found.tables),
                &mut expansion.problems,
            );
            let Some(of_server) = of_server else {
                expansion.incomplete.insert(index);
                continue;
            };
            for (schema, table) in of_server {
                expansion.jobs.push(Job {
                    id: id(server.1, migration, (&schema, &table)),
                    migration: index,
                    server: server.0,
                    schema,
                    table,
                });
            }
        }
        if expansion.jobs.len() == before
            && !expansion.incomplete.contains(&index)
            && expansion.problems.is_empty()
        {
            let what = format!("migration {}: no table fits its patterns", migration.name);
            expansion.problems.push(what);
        }
    }
    conflicts(manifest, &mut expansion);
    twice(manifest, tables, &mut expansion);
    expansion
}

/// Pairs of a migration and a server that it concerns, each with an id: the state knows which pairs were
/// looked at.
#[must_use]
pub fn looks(manifest: &Manifest) -> Vec<(usize, usize, String)> {
    let mut looks = Vec::new();
    for (index, migration) in manifest.migrations.iter().enumerate() {
        for (number, server) in manifest.servers.iter().enumerate() {
            if migration.servers.iter().any(|p| fits(p, &server.name)) {
                let patterns = [&migration.schemas[..], &migration.tables[..]].concat();
                let what = [
                    &[server.name.clone(), migration.alter.clone()][..],
                    &migration.backfills,
                ];
                let text = [patterns, what.concat()].concat().join("\0");
                looks.push((index, number, format!("{:016x}", digest(&text))));
            }
        }
    }
    looks
}

/// What is done on this replica stays there.
fn alone(manifest: &Manifest, server: usize) -> bool {
    let Some(server) = manifest.servers.get(server) else {
        return false;
    };
    let mut of_all = manifest
        .migrations
        .iter()
        .map(|m| flags(manifest, server, m));
    of_all.all(|flags| flags.contains_key("migrate-on-replica"))
}

/// One server by two names, or one that follows another: what is done to a table there is done to both.
fn twice(manifest: &Manifest, tables: &[Tables], expansion: &mut Expansion) {
    let mut by_table: BTreeMap<(&str, &str), BTreeSet<usize>> = BTreeMap::new();
    for job in &expansion.jobs {
        let place = (job.schema.as_str(), job.table.as_str());
        by_table.entry(place).or_default().insert(job.server);
    }
    let found = |server: usize| tables.get(server)?.as_ref();
    let mut problems = BTreeSet::new();
    for ((schema, table), servers) in by_table {
        let servers: Vec<usize> = servers.into_iter().collect();
        for (at, one) in servers.iter().enumerate() {
            for other in servers.iter().skip(at + 1) {
                let (Some(a), Some(b)) = (found(*one), found(*other)) else {
                    continue;
                };
                let name = |index: usize| manifest.servers.get(index).map_or("", |s| &s.name);
                let (first, second) = (name(*one), name(*other));
                let how = if a.uuid == b.uuid {
                    format!("{first} and {second} are the same server")
                } else if a.follows.contains(&b.uuid) && !alone(manifest, *one) {
                    format!("{first} follows {second}")
                } else if b.follows.contains(&a.uuid) && !alone(manifest, *other) {
                    format!("{second} follows {first}")
                } else {
                    continue;
                };
                problems.insert(format!(
                    "{how}, so {schema}.{table} would be changed twice: leave one of them out"
                ));
            }
        }
    }
    expansion.problems.extend(problems);
}

/// The tables of a migration on a server; `None` while the server can't be asked which fit.
fn of_server(
    migration: &Migration,
    server: &Server,
    found: Option<&BTreeSet<(String, String)>>,
    problems: &mut Vec<String>,
) -> Option<BTreeSet<(String, String)>> {
    let concerned = migration.servers.iter().any(|p| fits(p, &server.name));
    if !concerned {
        return Some(BTreeSet::new());
    }
    let found = found?;
    let mut of_server = BTreeSet::new();
    for schema in &migration.schemas {
        for table in &migration.tables {
            let literal = !is_pattern(schema) && !is_pattern(table);
            let place = (schema.clone(), table.clone());
            if literal && !found.contains(&place) {
                problems.push(format!(
                    "migration {}: there is no table {schema}.{table} on {}",
                    migration.name, server.name
                ));
            }
            let fitting = found.iter().filter(|(in_schema, name)| {
                fits(schema, in_schema)
                    && fits(table, name)
                    // Named outright it is meant; a pattern doesn't mean what runs have made.
                    && !(is_pattern(table) && is_helper(name))
            });
            of_server.extend(fitting.cloned());
        }
    }
    Some(of_server)
}

/// Tables that runs make beside the original, and old ones.
fn is_helper(table: &str) -> bool {
    const SUFFIXES: [&str; 4] = ["_gho", "_ghc", "_ghk", "_del"];
    table == super::TABLE
        || table == history::TABLE
        || table.starts_with('_') && SUFFIXES.iter().any(|suffix| table.ends_with(suffix))
}

/// Two migrations of one table need an order.
fn conflicts(manifest: &Manifest, expansion: &mut Expansion) {
    let mut by_table: BTreeMap<(usize, &str, &str), Vec<&Job>> = BTreeMap::new();
    let mut problems = BTreeSet::new();
    for job in &expansion.jobs {
        let place = (job.server, job.schema.as_str(), job.table.as_str());
        let others = by_table.entry(place).or_default();
        for other in others.iter() {
            let (Some(one), Some(two)) = (
                manifest.migrations.get(other.migration),
                manifest.migrations.get(job.migration),
            ) else {
                continue;
            };
            let ordered = before(&manifest.migrations, job.migration).contains(&other.migration)
                || before(&manifest.migrations, other.migration).contains(&job.migration);
            let table = format!("{}.{}", job.schema, job.table);
            if other.id == job.id {
                problems.insert(format!(
                    "migrations {} and {} both do the same to {table}",
                    one.name, two.name
                ));
            } else if !ordered {
                problems.insert(format!(
                    "migrations {} and {} both change {table}: one needs an after",
                    one.name, two.name
                ));
            }
        }
        others.push(job);
    }
    expansion.problems.extend(problems);
}

/// The flags of a job beside those that say which table: defaults, the server's, the migration's; the last
/// word counts.
fn flags(manifest: &Manifest, server: &Server, migration: &Migration) -> Flags {
    let mut flags = manifest.defaults.clone();
    flags.extend(server.flags.clone());
    flags.extend(migration.flags.clone());
    flags
}

fn words(flags: &Flags) -> impl Iterator<Item = String> {
    flags
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| format!("--{name}={value}")))
}

/// How to connect to a server, as arguments.
#[must_use]
pub fn connection(server: &Server) -> Vec<String> {
    let port = server.port.map(|port| port.to_string());
    [
        ("host", &server.host),
        ("port", &port),
        ("user", &server.user),
        ("conf", &server.conf),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("--{name}={}", value.as_ref()?)))
    .collect()
}

/// The whole command line of a migration of `schema`.`table`, without the program. It has no secret.
#[must_use]
pub fn command_line(
    manifest: &Manifest,
    (server, migration): (&Server, &Migration),
    (schema, table): (&str, &str),
    id: &str,
) -> Vec<String> {
    let mut line = connection(server);
    let flags = flags(manifest, server, migration);
    line.extend(words(&flags));
    let compares = flags.get("compare-plans").and_then(|values| values.last());
    if compares.is_some_and(|value| value == "true") && !flags.contains_key("compare-plans-wait") {
        // Nobody is there at night, and others wait.
        let wait = limits::BATCH_PLANS_WAIT_SECONDS;
        line.push(format!("--compare-plans-wait={wait}"));
    }
    line.extend([
        format!("--database={schema}"),
        format!("--table={table}"),
        format!("--alter={}", migration.alter),
    ]);
    let backfills = migration.backfills.iter();
    line.extend(backfills.map(|backfill| format!("--backfill={backfill}")));
    line.extend([
        // The usual name is that of the table, which many servers have.
        format!("--serve-socket-file=/tmp/tableshift.{id}.sock"),
        "--execute".into(),
    ]);
    line
}

/// Name of a job's log: what doesn't belong into the name of a file is `_`, the id keeps them apart.
#[must_use]
pub fn log_name(server: &str, schema: &str, table: &str, id: &str) -> String {
    let safe = |text: &str| -> String {
        text.chars()
            .take(60)
            .map(|c| match c {
                c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') => c,
                _ => '_',
            })
            .collect()
    };
    format!("{}.{}.{}.{id}.log", safe(server), safe(schema), safe(table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::batch::manifest::parse;

    fn manifest(migrations: &str) -> Manifest {
        let text = format!(
            "name = 'n'\n[state]\nserver = 'a'\nschema = 's'\n[defaults]\nx = 1\ny = 1\n\
             [servers.a]\nhost = 'a'\nflags = {{ y = 2 }}\n[servers.b]\nhost = 'b'\n{migrations}"
        );
        parse(&text).expect("a manifest")
    }

    fn tables(names: &[&str]) -> Tables {
        let place = |name: &&str| {
            let (schema, table) = name.split_once('.').expect("schema.table");
            (schema.to_owned(), table.to_owned())
        };
        Some(Found {
            tables: names.iter().map(place).collect(),
            uuid: names.concat(),
            follows: Vec::new(),
        })
    }

    #[test]
    fn patterns_become_jobs_whose_ids_stay() {
        let manifest = manifest(
            "[[migrations]]\nname = 'm'\nschemas = 'shop_*'\ntables = ['t', 'u*']\nalter = 'FORCE'",
        );
        let all = tables(&["shop_1.t", "shop_2.t", "shop_2.u", "shop_2._u_del", "x.t"]);
        let found = expand(&manifest, &[all.clone(), tables(&["shop_1.t"])]);
        assert_eq!(found.problems, Vec::<String>::new());
        let places: Vec<String> = found
            .jobs
            .iter()
            .map(|job| format!("{} {}.{}", job.server, job.schema, job.table))
            .collect();
        assert_eq!(
            places,
            ["0 shop_1.t", "0 shop_2.t", "0 shop_2.u", "1 shop_1.t"]
        );
        let ids: BTreeSet<&String> = found.jobs.iter().map(|job| &job.id).collect();
        assert_eq!(ids.len(), 4);
        let down = expand(&manifest, &[None, tables(&["shop_1.t"])]);
        assert_eq!((down.jobs.len(), down.incomplete.len()), (1, 1));
        assert_eq!(down.jobs.first(), found.jobs.last());
    }

    #[test]
    fn other_backfills_are_another_job() {
        let id = |more: &str| {
            let one =
                "[[migrations]]\nname = 'm'\nschemas = 'd'\ntables = 't'\nalter = 'MODIFY a INT'\n";
            let manifest = manifest(&format!("{one}{more}"));
            let mut jobs = expand(&manifest, &[tables(&["d.t"]), tables(&[])]).jobs;
            jobs.pop().map(|job| job.id)
        };
        let found = [
            id(""),
            id("backfill = 'a = 1'"),
            id("backfill = ['a = 1', 'b = 2']"),
        ];
        assert_eq!(BTreeSet::from(found.clone()).len(), 3, "{found:?}");
    }

    #[test]
    fn nobody_is_waited_for_at_night_unless_that_is_said() {
        let waits = |flags: &str| {
            let manifest = manifest(&format!(
                "[[migrations]]\nname = 'm'\nschemas = 'd'\ntables = 't'\nalter = 'FORCE'\nflags = {{ {flags} }}"
            ));
            let (server, migration) = (&manifest.servers[0], &manifest.migrations[0]);
            let line = command_line(&manifest, (server, migration), ("d", "t"), "id");
            let waits = line
                .into_iter()
                .filter(|word| word.starts_with("--compare-plans-wait"));
            waits.collect::<Vec<String>>()
        };
        assert_eq!(waits("compare-plans = true"), ["--compare-plans-wait=600"]);
        assert_eq!(
            waits("compare-plans = true, compare-plans-wait = 5"),
            ["--compare-plans-wait=5"]
        );
        assert!(waits("compare-plans = false").is_empty() && waits("z = 1").is_empty());
    }

    #[test]
    fn what_can_t_be_meant_is_a_problem() {
        let found = |migrations: &str| {
            let all = tables(&["d.t", "d.u"]);
            let other = all.clone().map(|all| Found {
                uuid: "other".into(),
                ..all
            });
            expand(&manifest(migrations), &[all, other]).problems
        };
        let one = "[[migrations]]\nname = 'm'\nschemas = 'd'\ntables = 't'\nalter = 'FORCE'\n";
        let two = |more: &str| {
            format!("{one}[[migrations]]\nname = 'n'\nschemas = 'd'\ntables = '*'\n{more}")
        };
        assert_eq!(found(one), Vec::<String>::new());
        assert_eq!(
            found(&two("alter = 'ADD a INT'\nafter = 'm'")),
            Vec::<String>::new()
        );
        for (migrations, words) in [
            (two("alter = 'ADD a INT'"), "both change d.t: one needs"),
            (
                two("alter = 'FORCE'\nafter = 'm'"),
                "both do the same to d.t",
            ),
            (one.replace("'t'", "'x'"), "there is no table d.x on a"),
            (one.replace("'t'", "'x*'"), "no table fits"),
        ] {
            let problems = found(&migrations).join("\n");
            assert!(problems.contains(words), "{words} in {problems}");
        }
    }

    #[test]
    fn one_server_by_two_names_is_a_problem() {
        let manifest =
            manifest("[[migrations]]\nname = 'm'\nschemas = 'd'\ntables = 't'\nalter = 'FORCE'");
        let server = |uuid: &str, follows: &[&str]| {
            tables(&["d.t"]).map(|found| Found {
                uuid: uuid.into(),
                follows: follows.iter().map(|uuid| (*uuid).to_owned()).collect(),
                ..found
            })
        };
        for (one, other, words) in [
            (server("1", &[]), server("2", &["3"]), None),
            (server("1", &[]), None, None),
            (
                server("1", &[]),
                server("1", &[]),
                Some("a and b are the same server, so d.t would"),
            ),
            (server("1", &[]), server("2", &["1"]), Some("b follows a")),
            (
                server("1", &["3", "2"]),
                server("2", &[]),
                Some("a follows b"),
            ),
        ] {
            let problems = expand(&manifest, &[one, other]).problems.join("\n");
            match words {
                Some(words) => assert!(problems.contains(words), "{words} in {problems}"),
                None => assert_eq!(problems, ""),
            }
        }
    }

    #[test]
    fn the_last_word_about_a_flag_counts() {
        let manifest = manifest(
            "[[migrations]]\nname = 'm'\nschemas = 'd'\ntables = 't'\nalter = 'FORCE'\nbackfill = 'a = 1'\nflags = { x = ['3', '4'] }",
        );
        let line = |server: usize| {
            let who = (&manifest.servers[server], &manifest.migrations[0]);
            command_line(&manifest, who, ("d", "t"), "id").join(" ")
        };
        assert!(line(0).starts_with("--host=a --x=3 --x=4 --y=2 --database=d --table=t"));
        assert!(line(1).contains("--x=4 --y=1 "));
        assert!(line(0).contains(" --alter=FORCE --backfill=a = 1 "));
        assert_eq!(log_name("a", "d/../x", "t", "1"), "a.d____x.t.1.log");
    }
}
