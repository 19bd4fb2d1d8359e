//! What the account may do, read from SHOW GRANTS, and what it still needs. Pure.
//!
//! The server names privileges on four levels; they add up, but a partial revoke takes from the
//! global level alone (manual, "Privilege Restriction Using Partial Revokes"). Roles are expanded by the
//! server: the lines come from SHOW GRANTS … USING the active ones.

use std::collections::BTreeSet;

use super::history;
use super::inspection::same_name;
use super::names::Names;

type Set = BTreeSet<String>;

/// How schema names in grants are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaNames {
    /// As LIKE patterns.
    Patterns,
    /// As they are: with `partial_revokes=ON`.
    Literal,
}

/// What SHOW GRANTS says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    global: Set,
    /// Of the schemas asked for: its name, what it has, and what was taken from the global level.
    schemas: Vec<(String, Set, Set)>,
    /// By schema and table.
    tables: Vec<(String, String, Set)>,
    /// Roles that were granted, active or not.
    pub roles: Vec<String>,
}

/// For values that are put aside.
const TEMPORARY: &str = "CREATE TEMPORARY TABLES";

/// What a run does with the account, on one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duties {
    /// Writes to the tables there.
    pub writes: bool,
    /// Follows its binary log.
    pub follows: bool,
    /// Writes although read_only is set.
    pub past_read_only: bool,
    /// Stops and starts replication there.
    pub stops_replication: bool,
    /// Ends other connections, after a look at their transactions.
    pub kills: bool,
    /// Gives triggers to the helper tables.
    pub makes_triggers: bool,
    /// Explains statements that write to the original.
    pub explains: bool,
    /// Puts values aside in a temporary table.
    pub keeps_values: bool,
    /// Writes checkpoints to a table of their own.
    pub keeps_checkpoints: bool,
}

impl Duties {
    /// A run on the primary alone.
    pub const PRIMARY: Self = Self {
        writes: true,
        follows: true,
        past_read_only: false,
        stops_replication: false,
        kills: false,
        makes_triggers: false,
        explains: false,
        keeps_values: false,
        keeps_checkpoints: false,
    };
}

impl Grants {
    /// Reads the lines of SHOW GRANTS, as far as these schemas are concerned.
    #[must_use]
    pub fn read(lines: &[String], schemas: &[&str], meant: SchemaNames) -> Self {
        let mut grants = Self {
            schemas: schemas
                .iter()
                .map(|name| ((*name).to_owned(), Set::new(), Set::new()))
                .collect(),
            ..Self::default()
        };
        for line in lines {
            grants.line(line, meant);
        }
        grants
    }

    fn line(&mut self, line: &str, meant: SchemaNames) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let Some((given, rest)) = rest.split_once(" ON ") else {
            if let (Some((role, _)), "GRANT") = (rest.rsplit_once(" TO "), verb) {
                self.roles.push(role.to_owned());
            }
            return;
        };
        let closing = if verb == "REVOKE" { " FROM " } else { " TO " };
        let Some((level, _)) = rest.rsplit_once(closing) else {
            return;
        };
        let given: Set = privileges(given).collect();
        let Some((schema, table)) = level_of(level) else {
            return;
        };
        match (verb, schema.as_str(), table) {
            ("GRANT", "*", _) => self.global.extend(given),
            ("GRANT", _, Some(table)) => self.tables.push((schema, table, given)),
            (_, _, None) => {
                let matching = |name: &str| match meant {
                    SchemaNames::Patterns => like(&schema, name),
                    SchemaNames::Literal => schema.replace("\\_", "_").replace("\\%", "%") == name,
                };
                for (name, has, lost) in &mut self.schemas {
                    if matching(name) {
                        let side = if verb == "REVOKE" {
                            &mut *lost
                        } else {
                            &mut *has
                        };
                        side.extend(given.iter().cloned());
                    }
                }
            }
            _ => {}
        }
    }

    /// The catalogue shows tables on which the account has any privilege (manual, "INFORMATION_SCHEMA
    /// Introduction"). One that was granted globally may have been taken back for some schemas.
    #[must_use]
    pub fn sees_every_schema(&self) -> bool {
        ["SELECT", "REFERENCES", "INSERT", "UPDATE"]
            .iter()
            .any(|privilege| self.globally(privilege))
    }

    fn globally(&self, privilege: &str) -> bool {
        has(&self.global, privilege)
    }

    fn on_schema(&self, schema: &str, privilege: &str) -> bool {
        let found = self.schemas.iter().find(|(name, _, _)| name == schema);
        found.is_some_and(|(_, own, lost)| {
            has(own, privilege) || self.globally(privilege) && !has(lost, privilege)
        })
    }

    fn on_table(&self, schema: &str, table: &str, privilege: &str) -> bool {
        self.on_schema(schema, privilege)
            || self.tables.iter().any(|(of, name, own)| {
                same_name(of, schema) && same_name(name, table) && has(own, privilege)
            })
    }
}

/// Dynamic privileges that SUPER includes (manual, "Privilege Descriptions").
const OF_SUPER: [&str; 2] = ["CONNECTION_ADMIN", "REPLICATION_SLAVE_ADMIN"];

/// ALL PRIVILEGES counts for every one; SHOW GRANTS lists the global ones one by one.
fn has(set: &Set, privilege: &str) -> bool {
    set.contains(privilege)
        || set.contains("ALL PRIVILEGES")
        || set.contains("ALL")
        || OF_SUPER.contains(&privilege) && set.contains("SUPER")
}

/// Names of privileges, without those that are given for columns only.
fn privileges(given: &str) -> impl Iterator<Item = String> {
    given
        .split(',')
        .map(|privilege| privilege.trim().to_ascii_uppercase())
        .filter(|privilege| !privilege.contains(['(', ')', '`']))
}

/// Schema and table of a level such as `` `shop`.* `` or `` `shop`.`t` ``; none for routines.
fn level_of(level: &str) -> Option<(String, Option<String>)> {
    if level == "*.*" {
        return Some(("*".into(), None));
    }
    let (schema, rest) = unquoted(level)?;
    match rest.strip_prefix('.')? {
        "*" => Some((schema, None)),
        table => Some((schema, Some(unquoted(table)?.0))),
    }
}

/// A name in back-quotes, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
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
            None => return Some((name, behind)),
        }
    }
}

/// The original: read, locked, renamed away (ALTER, DROP, and CREATE and INSERT for its new name), its
/// triggers have to be seen, and a DELETE of no row shows the tables that belong to it.
const ORIGINAL: [&str; 7] = [
    "ALTER", "CREATE", "DELETE", "DROP", "INSERT", "SELECT", "TRIGGER",
];
/// The helper tables: made, filled, swapped, dropped.
const HELPERS: [&str; 8] = [
    "ALTER", "CREATE", "DELETE", "DROP", "INDEX", "INSERT", "SELECT", "UPDATE",
];
/// There is no such privilege on a single table.
const SCHEMA: [&str; 1] = ["LOCK TABLES"];

/// What is missing, each as `PRIVILEGES ON level`, ready for a GRANT.
#[must_use]
pub fn missing(grants: &Grants, names: &Names, duties: Duties) -> Vec<String> {
    let schema = names.schema.as_str();
    let mut missing = Vec::new();
    if duties.writes {
        missing.extend(missing_for_writes(grants, names, duties));
    } else if !grants.on_table(schema, &names.changelog, "SELECT") {
        missing.push(format!("SELECT ON {}.*", quoted(schema)));
    }
    let mut global = vec!["REPLICATION CLIENT"];
    let more = [
        (duties.follows, "REPLICATION SLAVE"),
        (duties.past_read_only || duties.kills, "CONNECTION_ADMIN"),
        (duties.kills, "PROCESS"),
        (duties.stops_replication, "REPLICATION_SLAVE_ADMIN"),
    ];
    global.extend(more.iter().filter(|(on, _)| *on).map(|(_, name)| *name));
    global.sort_unstable();
    global.reverse();
    global.retain(|privilege| !grants.globally(privilege));
    if !global.is_empty() {
        missing.push(format!("{} ON *.*", global.join(", ")));
    }
    if !grants.on_schema("performance_schema", "SELECT") {
        missing.push("SELECT ON performance_schema.*".into());
    }
    missing
}

/// What recording runs in this schema still needs, as `PRIVILEGES ON table`; the table is made only once.
#[must_use]
pub fn missing_for_history(grants: &Grants, schema: &str, exists: bool) -> Option<String> {
    let needed = ["CREATE", "INSERT", "SELECT", "UPDATE"];
    let missing: Vec<&str> = needed
        .into_iter()
        .skip(usize::from(exists))
        .filter(|privilege| !grants.on_table(schema, history::TABLE, privilege))
        .collect();
    let table = format!("{}.{}", quoted(schema), quoted(history::TABLE));
    (!missing.is_empty()).then(|| format!("{} ON {table}", missing.join(", ")))
}

/// Privileges that some table lacks are asked for on the schema, unless only the original lacks them.
fn missing_for_writes(grants: &Grants, names: &Names, duties: Duties) -> Vec<String> {
    let schema = names.schema.as_str();
    let mut helpers = vec![&names.ghost, &names.changelog, &names.old];
    helpers.extend(duties.keeps_checkpoints.then_some(&names.checkpoint));
    let mut on_schema: BTreeSet<&str> = SCHEMA
        .into_iter()
        .filter(|privilege| !grants.on_schema(schema, privilege))
        .collect();
    if duties.keeps_values && !grants.on_schema(schema, TEMPORARY) {
        on_schema.insert(TEMPORARY);
    }
    let triggers = duties.makes_triggers.then_some("TRIGGER");
    for privilege in HELPERS.into_iter().chain(triggers) {
        let lacking = |table: &&&String| !grants.on_table(schema, table, privilege);
        if helpers.iter().any(|table| lacking(&table)) {
            on_schema.insert(privilege);
        }
    }
    let explains = duties.explains.then_some("UPDATE");
    let on_original: Vec<&str> = ORIGINAL
        .into_iter()
        .chain(explains)
        .filter(|privilege| {
            !on_schema.contains(privilege) && !grants.on_table(schema, &names.original, privilege)
        })
        .collect();
    let mut missing = Vec::new();
    if !on_schema.is_empty() {
        let list: Vec<&str> = on_schema.into_iter().collect();
        missing.push(format!("{} ON {}.*", list.join(", "), quoted(schema)));
    }
    if !on_original.is_empty() {
        missing.push(format!(
            "{} ON {}.{}",
            on_original.join(", "),
            quoted(schema),
            quoted(&names.original)
        ));
    }
    missing
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Schema names in grants are LIKE patterns (manual, "GRANT Statement").
#[must_use]
pub fn like(pattern: &str, text: &str) -> bool {
    let mut pattern = pattern.chars();
    let Some(first) = pattern.next() else {
        return text.is_empty();
    };
    let rest = pattern.as_str();
    match first {
        '%' => (0..=text.len()).any(|start| text.get(start..).is_some_and(|tail| like(rest, tail))),
        '\\' => match rest.chars().next() {
            Some(escaped) => text
                .strip_prefix(escaped)
                .is_some_and(|tail| like(rest.get(escaped.len_utf8()..).unwrap_or_default(), tail)),
            None => text == "\\",
        },
        '_' => text
            .chars()
            .next()
            .is_some_and(|c| like(rest, text.get(c.len_utf8()..).unwrap_or_default())),
        plain => text
            .strip_prefix(plain)
            .is_some_and(|tail| like(rest, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new("shop_1", "t", None, None)
    }

    fn lacking_as(lines: &[&str], meant: SchemaNames, duties: Duties) -> Vec<String> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let grants = Grants::read(&lines, &["shop_1", "performance_schema"], meant);
        missing(&grants, &names(), duties)
    }

    fn lacking(lines: &[&str]) -> Vec<String> {
        lacking_as(lines, SchemaNames::Patterns, Duties::PRIMARY)
    }

    const REPLICATION: &str = "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `a`@`%`";
    const INSTRUMENTS: &str = "GRANT SELECT ON `performance_schema`.* TO `a`@`%`";

    #[test]
    fn privileges_add_up_over_levels_and_patterns() {
        assert!(lacking(&["GRANT ALL PRIVILEGES ON *.* TO `a`@`%`"]).is_empty());
        let schema = "GRANT ALL PRIVILEGES ON `shop\\_%`.* TO `a`@`%`";
        assert!(lacking(&[REPLICATION, schema, INSTRUMENTS]).is_empty());
        let lacking = lacking(&[
            "GRANT SELECT, REPLICATION CLIENT ON *.* TO `a`@`%`",
            "GRANT ALL PRIVILEGES ON `other`.* TO `a`@`%`",
            "GRANT DELETE, INSERT, UPDATE, CREATE, DROP, ALTER, INDEX ON `shop_1`.* TO `a`@`%`",
        ]);
        assert_eq!(
            lacking,
            [
                "LOCK TABLES ON `shop_1`.*",
                "TRIGGER ON `shop_1`.`t`",
                "REPLICATION SLAVE ON *.*"
            ]
        );
    }

    #[test]
    fn single_tables_are_enough_but_for_the_lock() {
        let all = |table: &str| format!("GRANT ALL PRIVILEGES ON `shop_1`.`{table}` TO `a`@`%`");
        let tables: Vec<String> = ["t", "_t_gho", "_t_ghc", "_t_del"].map(all).to_vec();
        let mut lines: Vec<&str> = tables.iter().map(String::as_str).collect();
        lines.extend([REPLICATION, INSTRUMENTS]);
        assert_eq!(lacking(&lines), ["LOCK TABLES ON `shop_1`.*"]);
        lines.push("GRANT LOCK TABLES ON `shop_1`.* TO `a`@`%`");
        assert!(lacking(&lines).is_empty());
        // A grant on the original says nothing about the tables beside it.
        let lacking = lacking(&[REPLICATION, INSTRUMENTS, lines[0]]);
        assert_eq!(
            lacking,
            [
                "ALTER, CREATE, DELETE, DROP, INDEX, INSERT, LOCK TABLES, SELECT, UPDATE ON \
              `shop_1`.*"
            ]
        );
    }

    #[test]
    fn columns_and_routines_are_other_levels() {
        let lines = [
            REPLICATION,
            INSTRUMENTS,
            "GRANT ALL PRIVILEGES ON `shop_1`.* TO `a`@`%`",
        ];
        assert!(lacking(&lines).is_empty());
        let lacking = lacking(&[
            REPLICATION,
            INSTRUMENTS,
            "GRANT SELECT (`ON`, `b`), INSERT ON `shop_1`.`t` TO `a`@`%`",
            "GRANT EXECUTE ON PROCEDURE `shop_1`.`p` TO `a`@`%`",
        ]);
        assert!(lacking[0].contains("SELECT") && lacking[1].contains("TRIGGER"));
    }

    #[test]
    fn a_partial_revoke_takes_from_the_global_level_only() {
        let all = "GRANT ALL PRIVILEGES ON *.* TO `a`@`%`";
        let revoke = "REVOKE INSERT ON `shop_1`.* FROM `a`@`%`";
        let lacking = |lines: &[&str]| lacking_as(lines, SchemaNames::Literal, Duties::PRIMARY);
        assert_eq!(lacking(&[all, revoke]), ["INSERT ON `shop_1`.*"]);
        let again = "GRANT INSERT ON `shop_1`.* TO `a`@`%`";
        assert!(lacking(&[all, revoke, again]).is_empty());
        // Names are no patterns then.
        let other = "REVOKE INSERT ON `shop%`.* FROM `a`@`%`";
        assert!(lacking(&[all, other]).is_empty());
    }

    #[test]
    fn each_server_needs_what_is_done_there() {
        let follower = Duties {
            writes: false,
            ..Duties::PRIMARY
        };
        let of = |duties| lacking_as(&[], SchemaNames::Patterns, duties);
        assert_eq!(
            of(follower),
            [
                "SELECT ON `shop_1`.*",
                "REPLICATION SLAVE, REPLICATION CLIENT ON *.*",
                "SELECT ON performance_schema.*"
            ]
        );
        let rehearsal = Duties {
            past_read_only: true,
            stops_replication: true,
            ..Duties::PRIMARY
        };
        let super_user = ["GRANT SUPER ON *.* TO `a`@`%`"];
        let lacking = lacking_as(&super_user, SchemaNames::Patterns, rehearsal);
        assert_eq!(
            lacking[2], "REPLICATION SLAVE, REPLICATION CLIENT ON *.*",
            "{lacking:?}"
        );
        assert!(of(rehearsal)[2].contains("REPLICATION_SLAVE_ADMIN"));
    }

    #[test]
    fn some_privileges_are_asked_for_only_when_they_are_needed() {
        let lines = [
            "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, SELECT, UPDATE, LOCK TABLES ON `shop_1`.* TO \
             `a`@`%`",
            "GRANT TRIGGER ON `shop_1`.`t` TO `a`@`%`",
            REPLICATION,
            INSTRUMENTS,
        ];
        assert!(lacking(&lines).is_empty());
        let more = Duties {
            kills: true,
            makes_triggers: true,
            keeps_checkpoints: false,
            ..Duties::PRIMARY
        };
        assert_eq!(
            lacking_as(&lines, SchemaNames::Patterns, more),
            ["TRIGGER ON `shop_1`.*", "PROCESS, CONNECTION_ADMIN ON *.*"]
        );
    }

    #[test]
    fn explaining_needs_update_on_the_original() {
        let lines = [
            "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, SELECT, LOCK TABLES, TRIGGER ON `shop_1`.* TO `a`@`%`",
            "GRANT UPDATE ON `shop_1`.`_t_gho` TO `a`@`%`",
            "GRANT UPDATE ON `shop_1`.`_t_ghc` TO `a`@`%`",
            "GRANT UPDATE ON `shop_1`.`_t_del` TO `a`@`%`",
            REPLICATION,
            INSTRUMENTS,
        ];
        assert!(lacking(&lines).is_empty());
        let explains = Duties {
            explains: true,
            ..Duties::PRIMARY
        };
        assert_eq!(
            lacking_as(&lines, SchemaNames::Patterns, explains),
            ["UPDATE ON `shop_1`.`t`"]
        );
    }

    #[test]
    fn putting_values_aside_needs_temporary_tables() {
        let duties = Duties {
            keeps_values: true,
            ..Duties::PRIMARY
        };
        let usual = "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, SELECT, UPDATE, LOCK TABLES, TRIGGER ON \
                     `shop_1`.* TO `a`@`%`";
        let lines = [usual, REPLICATION, INSTRUMENTS];
        assert!(lacking(&lines).is_empty());
        assert_eq!(
            lacking_as(&lines, SchemaNames::Patterns, duties),
            ["CREATE TEMPORARY TABLES ON `shop_1`.*"]
        );
        let more = "GRANT CREATE TEMPORARY TABLES ON `shop_1`.* TO `a`@`%`";
        let lines = [usual, more, REPLICATION, INSTRUMENTS];
        assert!(lacking_as(&lines, SchemaNames::Patterns, duties).is_empty());
    }

    #[test]
    fn the_history_asks_for_its_own_table_only() {
        let missing = |lines: &[&str], exists| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            let grants = Grants::read(&lines, &["ops"], SchemaNames::Patterns);
            missing_for_history(&grants, "ops", exists)
        };
        let table = "ON `ops`.`_tableshift_history`";
        let all = format!("CREATE, INSERT, SELECT, UPDATE {table}");
        assert_eq!(missing(&[], false), Some(all));
        assert_eq!(
            missing(&["GRANT ALL PRIVILEGES ON `ops`.* TO `a`@`%`"], false),
            None
        );
        let some = format!("GRANT INSERT, SELECT {table} TO `a`@`%`");
        assert_eq!(missing(&[&some], true), Some(format!("UPDATE {table}")));
    }

    #[test]
    fn roles_are_listed() {
        let lines = ["GRANT `r1`@`%`,`r2`@`%` TO `u`@`%`".to_owned()];
        let grants = Grants::read(&lines, &[], SchemaNames::Patterns);
        assert_eq!(grants.roles, ["`r1`@`%`,`r2`@`%`"]);
    }

    #[test]
    fn schema_patterns_match_as_the_server_does() {
        for (pattern, text, expected) in [
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("sh%", "shop", true),
            ("s_op", "shop", true),
            ("s\\_op", "shop", false),
            ("%", "", true),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
