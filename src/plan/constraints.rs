//! Names of CHECK constraints, which are unique in a schema: what the ghost's are called while the
//! original still has its own, and what of the ALTER's text has to say so.
//!
//! `CREATE TABLE … LIKE` gives all of them new names. RENAME TABLE renames those that begin with the
//! table's name and `_chk_` (`t_chk_1`), and no others. So the ghost's constraints are made anew
//! under names that come out right: `_t_gho_chk_1` for `t_chk_1`, and for a name that somebody
//! chose the same name with an underscore more or less, as pt-online-schema-change does it.
//! (Observed on MySQL 9.7.4; `testdata/cases/check_*` hold it.)

use super::Refusal;
use super::alter::Alter;
use super::inspection::{Table, TableNames, same_name};
use super::names::{NAME_CHARS_MAX, Names, shortened};
use crate::sql::quoted;

/// A CHECK constraint as SHOW CREATE TABLE has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// `(…)` and whether it is enforced, as SQL.
    pub clause: String,
}

impl Check {
    /// A text in another character set than UTF-8 may be shown with its characters lost (`_latin1
    /// x'E9'` as `_latin1'?'`), and one beyond ASCII otherwise in a copy (observed on 9.7.4).
    fn shown_faithfully(&self) -> bool {
        let mut before_quotes: Vec<&str> = self.clause.split('\'').collect();
        before_quotes.pop();
        self.clause.bytes().all(|byte| matches!(byte, b' '..=b'~'))
            && before_quotes.into_iter().all(|text| !introduced(text))
    }

    fn enforced(&self) -> bool {
        !self.clause.ends_with(" NOT ENFORCED")
    }
}

/// The CHECK constraints of a table, read from its definition: the catalogue's own view of their
/// clauses escapes quotes and can't be used as SQL again.
#[must_use]
pub fn checks_of(definition: &str) -> Vec<Check> {
    definition.lines().filter_map(check_of).collect()
}

/// A line of its own for each; strings in it have their line ends escaped.
fn check_of(line: &str) -> Option<Check> {
    let rest = line.strip_prefix("  CONSTRAINT `")?;
    let mut name = String::new();
    let mut characters = rest.char_indices();
    while let Some((position, character)) = characters.next() {
        if character != '`' {
            name.push(character);
            continue;
        }
        let behind = rest.get(position + 1..)?;
        if behind.starts_with('`') {
            name.push('`');
            characters.next();
            continue;
        }
        let clause = behind.strip_prefix(" CHECK ")?;
        let clause = clause.strip_suffix(',').unwrap_or(clause);
        let clause = match clause.strip_suffix(" /*!80016 NOT ENFORCED */") {
            Some(condition) => format!("{condition} NOT ENFORCED"),
            None => clause.to_owned(),
        };
        return Some(Check { name, clause });
    }
    None
}

/// The CHECK constraints of the original and what the ghost's are to be called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckNames {
    /// The original's constraints.
    pub original: Vec<Check>,
    /// The same constraints under the names for the ghost, in the same order.
    pub ghost: Vec<Check>,
    prefixes: [String; 2],
    table_names: TableNames,
}

/// What speaks against names beyond the two tables: the names in use.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// Names of the schema's CHECK constraints, without those of tables that will be gone.
    pub in_schema: &'a [String],
    /// How the server tells the names of tables apart.
    pub table_names: TableNames,
}

impl CheckNames {
    /// Finds names for the ghost's constraints.
    ///
    /// # Errors
    /// When a name would be longer than the server takes, during the run or at its end.
    pub fn new(
        original: &Table,
        alter: &Alter,
        names: &Names,
        taken: &Taken<'_>,
    ) -> Result<Self, Refusal> {
        let checks = checks_of(&original.definition);
        let mut found = Self {
            original: checks.clone(),
            ghost: Vec::new(),
            prefixes: [chk(&names.original), chk(&names.ghost)],
            table_names: taken.table_names,
        };
        let mut used: Vec<String> = taken.in_schema.to_vec();
        used.extend(alter.check_names.iter().map(|name| name.name.clone()));
        for check in checks {
            let name = match found.follows_the_table(&check.name) {
                Some(name) => name,
                None => found.beside(&check.name, names, &used),
            };
            fits(&check.name, &name, names)?;
            used.push(name.clone());
            found.ghost.push(Check { name, ..check });
        }
        Ok(found)
    }

    /// On the way back of a migration only those that follow their table change their names.
    #[must_use]
    pub fn back(names: &Names, table_names: TableNames) -> Self {
        Self {
            prefixes: [chk(&names.original), chk(&names.ghost)],
            table_names,
            ..Self::default()
        }
    }

    /// The ghost's definition with the names that its constraints have after the change. The original keeps
    /// its own when the server alters it `directly`.
    #[must_use]
    pub fn shown_in_the_end(&self, ghost: &str, directly: bool) -> String {
        let lines = ghost.split('\n').map(|line| {
            let Some(check) = check_of(line) else {
                return line.to_owned();
            };
            let mut pairs = self.original.iter().zip(&self.ghost);
            let own = pairs.find(|(_, made)| directly && same_name(&made.name, &check.name));
            let name = match own {
                Some((original, _)) => original.name.clone(),
                None => self.in_the_end(&check.name),
            };
            line.replacen(&quoted(&check.name), &quoted(&name), 1)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The ghost's constraints can stay as LIKE made them.
    #[must_use]
    pub fn as_made(&self, ghost: &[Check]) -> bool {
        ghost.len() == self.ghost.len() && self.ghost.iter().all(|check| ghost.contains(check))
    }

    /// The definition shows every clause as it is.
    #[must_use]
    pub fn shown_faithfully(&self) -> bool {
        self.original.iter().all(Check::shown_faithfully)
    }

    /// The names as LIKE gave them, where the clauses can't be made again: it goes through the same
    /// list as SHOW CREATE TABLE and numbers the constraints.
    ///
    /// # Errors
    /// When the ghost's constraints aren't these, as far as that can be seen.
    pub fn like_made(mut self, made: &[Check]) -> Result<Self, Refusal> {
        let [_, prefix] = &self.prefixes;
        for (check, number) in self.ghost.iter_mut().zip(1..) {
            check.name = format!("{prefix}{number}");
        }
        let same = |check: &Check| {
            made.iter().any(|made| {
                let shown = made.clause == check.clause || !check.shown_faithfully();
                made.name == check.name && made.enforced() == check.enforced() && shown
            })
        };
        if made.len() == self.ghost.len() && self.ghost.iter().all(same) {
            return Ok(self);
        }
        Err(Refusal::new(
            "the table's CHECK constraints can't be told apart in a copy of the table",
            "drop them, migrate, and add them again by a plain ALTER; and report it as a bug",
        ))
    }

    /// What a name of the ghost is after the rename.
    fn in_the_end(&self, ghost: &str) -> String {
        let [original, prefix] = &self.prefixes;
        match without_prefix(ghost, prefix, self.table_names) {
            Some(rest) => format!("{original}{rest}"),
            None => ghost.to_owned(),
        }
    }

    /// The name in the ghost of a constraint that gets its name from its table.
    fn follows_the_table(&self, name: &str) -> Option<String> {
        let [original, ghost] = &self.prefixes;
        let rest = without_prefix(name, original, self.table_names)?;
        Some(format!("{ghost}{rest}"))
    }

    /// A free name near this one, which RENAME leaves alone.
    fn beside(&self, name: &str, names: &Names, used: &[String]) -> String {
        let toggled = match name.strip_prefix('_') {
            Some(rest) if !rest.is_empty() => rest.to_owned(),
            Some(_) | None => format!("_{name}"),
        };
        let more = (1..).map(|count| format!("{}{name}", "_".repeat(count)));
        let free = |candidate: &String| {
            let follows = [&names.original, &names.ghost, &names.old]
                .into_iter()
                .any(|table| without_prefix(candidate, &chk(table), TableNames::AnyCase).is_some());
            !follows && !used.iter().any(|used| same_name(used, candidate))
        };
        std::iter::once(toggled)
            .chain(more)
            .map(|candidate| shortened(&candidate))
            .find(free)
            .unwrap_or_default()
    }

    /// What a name of the ALTER's text means on the ghost, if it isn't the same name.
    fn on_ghost(&self, name: &str) -> Option<String> {
        let mut pairs = self.original.iter().zip(&self.ghost);
        match pairs.find(|(original, _)| same_name(&original.name, name)) {
            Some((_, ghost)) => Some(ghost.name.clone()),
            None => self.follows_the_table(name),
        }
    }

    /// The ALTER's clauses with the names of constraints as the ghost has them; everything else byte
    /// for byte.
    #[must_use]
    pub fn clauses(&self, alter: &Alter) -> String {
        let mut text = String::new();
        let mut end = 0;
        for name in &alter.check_names {
            text.push_str(alter.clauses.get(end..name.start).unwrap_or_default());
            match self.on_ghost(&name.name) {
                Some(ghost) => text.push_str(&format!("`{}`", ghost.replace('`', "``"))),
                None => text.push_str(alter.clauses.get(name.start..name.end).unwrap_or_default()),
            }
            end = name.end;
        }
        text.push_str(alter.clauses.get(end..).unwrap_or_default());
        text
    }

    /// A name of the ghost's that follows its table, and can't follow it to the original's name: the rename
    /// would fail after the copy.
    #[must_use]
    pub fn too_long_in_the_end(&self, ghost: &Table) -> Option<Refusal> {
        let made = checks_of(&ghost.definition);
        let mut names = made.iter().map(|check| self.in_the_end(&check.name));
        let long = names.find(|name| name.chars().count() > NAME_CHARS_MAX)?;
        Some(Refusal::new(
            format!(
                "a check constraint of the new table would be called `{long}` after the rename, longer than \
                 the {NAME_CHARS_MAX} characters that a name may have"
            ),
            "give a constraint that the ALTER adds a name of its own; if it adds none, drop the table's first, \
             or rename the table to a shorter name",
        ))
    }

    /// The names that won't be what a plain ALTER would leave, with what they will be.
    #[must_use]
    pub fn changed(&self, ghost: &Table) -> Vec<(String, String)> {
        let there = checks_of(&ghost.definition);
        self.original
            .iter()
            .zip(&self.ghost)
            .filter(|(_, ghost)| {
                there
                    .iter()
                    .any(|check| same_name(&check.name, &ghost.name))
            })
            .map(|(original, ghost)| (original.name.clone(), self.in_the_end(&ghost.name)))
            .filter(|(before, after)| before != after)
            .collect()
    }
}

/// `CREATE TABLE … LIKE` numbers the constraints from 1 on, behind the ghost's name and `_chk_`, and fails
/// (3507) when the last of these names is too long (observed on 9.7.4; the server counts characters).
#[must_use]
pub(super) fn too_long_in_a_copy(original: &Table, names: &Names) -> Option<Refusal> {
    let count = checks_of(&original.definition).len();
    if names.reverts || count == 0 {
        return None;
    }
    let numbered = |ghost: &str| format!("{}{count}", chk(ghost)).chars().count();
    if numbered(&names.ghost) <= NAME_CHARS_MAX {
        return None;
    }
    let room = NAME_CHARS_MAX.saturating_sub(numbered(&Names::new("", "", None, None).ghost));
    Some(Refusal::new(
        format!(
            "the server would call the {count} check constraints of the ghost table `{}1` and so on, longer \
             than the {NAME_CHARS_MAX} characters that a name may have",
            chk(&names.ghost)
        ),
        format!(
            "give the helper tables a shorter name: --force-table-names=NAME, with a name of at most {room} \
             characters that no other migration uses"
        ),
    ))
}

/// Names that would mean something else on the ghost. DROP CONSTRAINT means whatever kind has the
/// name, and with two kinds a plain ALTER refuses (3939), but on the ghost the two names differ; and
/// a new name that begins like the ghost's own would be changed by the rename.
#[must_use]
pub(super) fn unclear(original: &Table, alter: &Alter, names: &Names) -> Vec<Refusal> {
    let ghosts = alter
        .check_names
        .iter()
        .filter(|name| {
            without_prefix(&name.name, &chk(&names.ghost), TableNames::AnyCase).is_some()
        })
        .map(|name| {
            Refusal::new(
                format!(
                    "constraint name `{}` begins like those of the ghost table `{}`",
                    name.name, names.ghost
                ),
                "choose another name, or another ghost table with --force-table-names",
            )
        });
    let checks = checks_of(&original.definition);
    let two_kinds = alter
        .check_names
        .iter()
        .filter(|name| name.of_any_kind)
        .filter(|name| {
            checks
                .iter()
                .any(|check| same_name(&check.name, &name.name))
        })
        .filter(|name| {
            original
                .indexes
                .iter()
                .any(|index| same_name(&index.name, &name.name))
        })
        .map(|name| {
            Refusal::new(
                format!("constraint `{}` is a CHECK and an index", name.name),
                "say DROP CHECK or DROP INDEX",
            )
        });
    ghosts.chain(two_kinds).collect()
}

/// The text ends in the name of a character set for the string that follows.
fn introduced(text: &str) -> bool {
    let word = text
        .rsplit(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .next()
        .unwrap_or_default();
    word.starts_with('_') && !matches!(word, "_utf8mb4" | "_utf8mb3")
}

fn chk(table: &str) -> String {
    format!("{table}_chk_")
}

/// What follows the prefix, if something does.
fn without_prefix<'a>(name: &'a str, prefix: &str, table_names: TableNames) -> Option<&'a str> {
    let head = name.get(..prefix.len())?;
    let rest = name.get(prefix.len()..).filter(|rest| !rest.is_empty())?;
    table_names.same(head, prefix).then_some(rest)
}

/// RENAME TABLE fails when a name that follows the table becomes too long.
fn fits(original: &str, ghost: &str, names: &Names) -> Result<(), Refusal> {
    let rest =
        without_prefix(original, &chk(&names.original), TableNames::AnyCase).unwrap_or_default();
    let old = chk(&names.old).chars().count() + rest.chars().count();
    let follows = !rest.is_empty();
    if ghost.chars().count() <= NAME_CHARS_MAX && !(follows && old > NAME_CHARS_MAX) {
        return Ok(());
    }
    Err(Refusal::new(
        format!(
            "check constraint `{original}` would have a name of more than {NAME_CHARS_MAX} characters in \
             `{}` or `{}`",
            names.ghost, names.old
        ),
        "give the helper tables shorter names with --force-table-names",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::alter::parse;
    use crate::plan::inspection::Index;

    fn table(checks: &[&str]) -> Table {
        let lines: Vec<String> = checks
            .iter()
            .map(|name| {
                format!(
                    "  CONSTRAINT `{}` CHECK ((`a` > 0))",
                    name.replace('`', "``")
                )
            })
            .collect();
        Table {
            definition: format!(
                "CREATE TABLE `t` (\n  `a` int,\n{}\n) ENGINE",
                lines.join(",\n")
            ),
            ..Table::default()
        }
    }

    fn names() -> Names {
        Names::new("shop", "t", None, None)
    }

    fn named(checks: &[&str], alter: &str, in_schema: &[&str]) -> (CheckNames, String) {
        let in_schema: Vec<String> = in_schema.iter().map(|name| (*name).into()).collect();
        let taken = Taken {
            in_schema: &in_schema,
            table_names: TableNames::Exact,
        };
        let alter = parse(alter).expect("a good ALTER");
        let found = CheckNames::new(&table(checks), &alter, &names(), &taken).expect("names fit");
        let clauses = found.clauses(&alter);
        (found, clauses)
    }

    fn ghosts(checks: &[&str], alter: &str, in_schema: &[&str]) -> Vec<String> {
        let (found, _) = named(checks, alter, in_schema);
        found.ghost.into_iter().map(|check| check.name).collect()
    }

    #[test]
    fn constraints_are_read_from_the_definition() {
        let text = "CREATE TABLE `t` (\n  `a` int DEFAULT NULL COMMENT '  CONSTRAINT `x` CHECK (1)',\n  \
                    KEY `k` (`a`),\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `b` (`a`),\n  CONSTRAINT \
                    `o``ne, CHECK (` CHECK ((`a` <> _utf8mb4'it\\'s, `)) CHECK (`')),\n  CONSTRAINT `two` \
                    CHECK ((`a` > 0)) /*!80016 NOT ENFORCED */,\n  CONSTRAINT `é` CHECK (true) /*!80016 NOT \
                    ENFORCED */\n) ENGINE=InnoDB COMMENT='\n  CONSTRAINT `n'";
        let check = |name: &str, clause: &str| Check {
            name: name.into(),
            clause: clause.into(),
        };
        let expected = [
            check("o`ne, CHECK (", "((`a` <> _utf8mb4'it\\'s, `)) CHECK (`'))"),
            check("two", "((`a` > 0)) NOT ENFORCED"),
            check("é", "(true) NOT ENFORCED"),
        ];
        assert_eq!(checks_of(text), expected);
    }

    #[test]
    fn names_that_follow_the_table_come_out_as_they_were() {
        let all = ["t_chk_2", "t_chk_x", "T_chk_1", "t_chk_"];
        let expected = ["_t_gho_chk_2", "_t_gho_chk_x", "_T_chk_1", "_t_chk_"];
        // The last two don't follow on this server, so they must not follow under any name.
        let found = ghosts(&all, "ENGINE=InnoDB", &all);
        assert_eq!(found[..2], expected[..2]);
        assert_eq!(found[2..], expected[2..]);
    }

    #[test]
    fn chosen_names_get_an_underscore_more_or_less() {
        let found = ghosts(&["ck", "_own", "_"], "ENGINE=InnoDB", &["ck", "_own", "_"]);
        assert_eq!(found, ["_ck", "own", "__"]);
    }

    #[test]
    fn names_in_use_are_passed_over() {
        let in_schema = ["ck", "_CK", "__ck"];
        assert_eq!(ghosts(&["ck"], "ENGINE=InnoDB", &in_schema), ["___ck"]);
        let alter = "ADD CONSTRAINT _ck CHECK (a)";
        assert_eq!(ghosts(&["ck"], alter, &["ck"]), ["__ck"]);
        // It would follow the table.
        assert_eq!(
            ghosts(&["_t_chk_1"], "ENGINE=InnoDB", &["_t_chk_1"]),
            ["__t_chk_1"]
        );
        assert_eq!(
            ghosts(&["t_del_chk_1"], "ENGINE=InnoDB", &[]),
            ["__t_del_chk_1"]
        );
        let both = ghosts(&["ck", "__ck"], "ENGINE=InnoDB", &["ck", "__ck"]);
        assert_eq!(both, ["_ck", "___ck"]);
    }

    #[test]
    fn long_names_stay_apart() {
        let (one, other) = ("ä".repeat(63) + "1", "ä".repeat(63) + "2");
        let found = ghosts(&[&one, &other], "ENGINE=InnoDB", &[]);
        assert_ne!(found[0], found[1]);
        assert!(
            found.iter().all(|name| name.chars().count() <= 64),
            "{found:?}"
        );
    }

    #[test]
    fn the_clauses_speak_of_the_ghosts_names() {
        let all = ["t_chk_1", "ck", "o`ne"];
        for (alter, expected) in [
            (
                "DROP CHECK ck, DROP CONSTRAINT t_chk_1",
                "DROP CHECK `_ck`, DROP CONSTRAINT `_t_gho_chk_1`",
            ),
            (
                "ALTER CHECK `o``ne` NOT ENFORCED",
                "ALTER CHECK `_o``ne` NOT ENFORCED",
            ),
            (
                "DROP CHECK CK,\n ADD CONSTRAINT ck CHECK (a > 1) -- é ck",
                "DROP CHECK `_ck`,\n ADD CONSTRAINT `_ck` CHECK (a > 1) -- é ck",
            ),
            (
                "ADD CONSTRAINT t_chk_9 CHECK (a)",
                "ADD CONSTRAINT `_t_gho_chk_9` CHECK (a)",
            ),
            (
                "ADD CONSTRAINT free CHECK (ck > 1)",
                "ADD CONSTRAINT free CHECK (ck > 1)",
            ),
            ("DROP CONSTRAINT uk", "DROP CONSTRAINT uk"),
        ] {
            assert_eq!(named(&all, alter, &all).1, expected);
        }
    }

    #[test]
    fn only_chosen_names_that_are_still_there_have_changed() {
        let (found, _) = named(&["t_chk_1", "ck", "gone"], "DROP CHECK gone", &[]);
        let changed = found.changed(&table(&["_t_gho_chk_1", "_ck"]));
        assert_eq!(changed, [("ck".to_owned(), "_ck".to_owned())]);
    }

    #[test]
    fn a_definition_is_shown_with_the_names_of_afterwards() {
        let (found, _) = named(&["t_chk_1", "ck", "o`ne"], "ADD CHECK (a)", &[]);
        let made = table(&["_t_gho_chk_1", "_ck", "_o`ne", "_t_gho_chk_2"]).definition;
        let shown = |directly| {
            let shown = found.shown_in_the_end(&made, directly);
            assert!(shown.ends_with("\n) ENGINE"), "{shown}");
            let checks = checks_of(&shown).into_iter();
            checks.map(|check| check.name).collect::<Vec<_>>()
        };
        assert_eq!(shown(false), ["t_chk_1", "_ck", "_o`ne", "t_chk_2"]);
        assert_eq!(shown(true), ["t_chk_1", "ck", "o`ne", "t_chk_2"]);
        let names = Names::back("shop", "t", None, "_t_del");
        let back = CheckNames::back(&names, TableNames::Exact);
        let made = table(&["_t_del_chk_1", "ck"]).definition;
        let expected = table(&["t_chk_1", "ck"]).definition;
        assert_eq!(back.shown_in_the_end(&made, false), expected);
    }

    #[test]
    fn clauses_that_are_not_shown_as_they_are_keep_the_names_of_the_copy() {
        let faithful = |clause: &str| {
            let (mut found, _) = named(&["ck"], "ENGINE=InnoDB", &[]);
            found.original[0].clause = clause.into();
            found.shown_faithfully()
        };
        assert!(faithful(
            "((`a_b` <> _utf8mb4'it\\'s') and (`a` > DATE'2020-01-01'))"
        ));
        assert!(!faithful("(`a` <> _latin1'?')"));
        assert!(!faithful("(`a` <> _utf8mb4'é')"));
        assert!(!faithful("(`a` <> _utf8mb4'x\u{1f}')"));

        let (found, _) = named(&["ck", "t_chk_1", "t_chk_5"], "ENGINE=InnoDB", &[]);
        let made = table(&["_t_gho_chk_1", "_t_gho_chk_2", "_t_gho_chk_3"]);
        let found = found
            .like_made(&checks_of(&made.definition))
            .expect("the same clauses");
        let alter = parse("DROP CHECK t_chk_5, DROP CHECK ck").expect("a good ALTER");
        assert_eq!(
            found.clauses(&alter),
            "DROP CHECK `_t_gho_chk_3`, DROP CHECK `_t_gho_chk_1`"
        );
        let changed = found.changed(&table(&["_t_gho_chk_2", "_t_gho_chk_3"]));
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(
            changed,
            [pair("t_chk_1", "t_chk_2"), pair("t_chk_5", "t_chk_3")]
        );
        assert!(found.like_made(&[]).is_err());
    }

    #[test]
    fn names_that_would_mean_something_else_are_refused() {
        let refused = |alter: &str| {
            let mut original = table(&["both", "ck"]);
            original.indexes = vec![Index {
                name: "Both".into(),
                unique: true,
                parts: vec![],
            }];
            unclear(&original, &parse(alter).expect("a good ALTER"), &names()).len()
        };
        assert_eq!(refused("DROP CONSTRAINT both"), 1);
        assert_eq!(refused("DROP CHECK both, DROP CONSTRAINT ck"), 0);
        assert_eq!(refused("ADD CONSTRAINT _t_gho_chk_5 CHECK (a)"), 1);
    }

    #[test]
    fn names_too_long_for_a_copy_are_refused_with_the_longest_that_fits() {
        let checks = |count: usize| {
            let names: Vec<String> = (0..count).map(|number| format!("c{number}")).collect();
            table(&names.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let refused = |count, name: &str, base: Option<&str>| {
            too_long_in_a_copy(&checks(count), &Names::new("shop", name, base, None))
        };
        for (count, longest) in [(1, 53), (9, 53), (10, 52), (99, 52), (100, 51)] {
            let (fits, long) = ("ä".repeat(longest), "ä".repeat(longest + 1));
            assert_eq!(refused(count, &fits, None), None);
            let refusal = refused(count, &long, None).expect("a refusal");
            let says = format!("at most {longest} characters");
            assert!(refusal.next.contains(&says), "{}", refusal.next);
            assert_eq!(refused(count, &long, Some(&fits)), None);
            assert!(refused(count, "t", Some(&long)).is_some());
        }
        assert_eq!(refused(0, &"n".repeat(64), None), None);
        let back = Names::back("shop", "t", None, &"n".repeat(64));
        assert_eq!(too_long_in_a_copy(&checks(1), &back), None);
    }

    /// The helpers have short names, but the original's is too long for what follows it.
    #[test]
    fn names_that_can_t_follow_to_the_original_are_refused() {
        let taken = Taken {
            in_schema: &[],
            table_names: TableNames::Exact,
        };
        let alter = parse("ADD CHECK (a)").expect("a good ALTER");
        let refused = |name: &str| {
            let names = Names::new("shop", name, Some("t"), None);
            let found = CheckNames::new(&table(&["c"]), &alter, &names, &taken);
            let found = found.expect("names fit");
            found.too_long_in_the_end(&table(&["_c", "_t_gho_chk_1"]))
        };
        assert_eq!(refused(&"n".repeat(58)), None);
        assert!(refused(&"n".repeat(59)).is_some());
    }

    #[test]
    fn names_that_grow_too_long_with_their_table_are_refused() {
        let name = "n".repeat(58);
        let check = format!("{name}_chk_1");
        let names = Names::new("shop", &name, None, None);
        let taken = Taken {
            in_schema: &[],
            table_names: TableNames::Exact,
        };
        let alter = parse("ENGINE=InnoDB").expect("a good ALTER");
        let made = CheckNames::new(&table(&[&check]), &alter, &names, &taken);
        assert!(made.is_err());
        let stamped = Names::new("shop", "t", None, Some(&"9".repeat(56)));
        let made = CheckNames::new(&table(&["t_chk_1"]), &alter, &stamped, &taken);
        assert!(made.is_err());
    }
}
