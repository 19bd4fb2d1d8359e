//! The table's triggers, as they are made anew on the ghost. Pure.
//!
//! Names of triggers are unique in a schema and the old table keeps its own, so the new ones have other
//! names. Everything else stays: definer, sql_mode, character sets, the body byte for byte, and the order,
//! because triggers of the same moment fire in the order in which they are made.

use super::Refusal;
use super::names::NAME_CHARS_MAX;
use crate::sql::{quoted, text_literal};

/// A trigger as the server shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// BEFORE or AFTER.
    pub timing: String,
    /// INSERT, UPDATE or DELETE.
    pub event: String,
    /// `user@host`.
    pub definer: String,
    /// The sql_mode it runs in.
    pub sql_mode: String,
    /// The character set in which it was written.
    pub client_charset: String,
    /// The collation of its literals.
    pub collation: String,
    /// What SHOW CREATE TRIGGER shows.
    pub statement: String,
}

/// How the new names are made (`--trigger-suffix`, `--remove-trigger-suffix-if-exists`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suffix {
    /// The suffix.
    pub text: String,
    /// It goes where it is, instead of being doubled.
    pub comes_off: bool,
}

impl Suffix {
    fn applied(&self, name: &str) -> String {
        match name.strip_suffix(&self.text) {
            Some(bare) if self.comes_off && !bare.is_empty() => bare.to_owned(),
            Some(_) | None => format!("{name}{}", self.text),
        }
    }
}

/// A trigger to be made on the ghost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTrigger {
    /// Its new name.
    pub name: String,
    /// What the session has to be set to first.
    pub settings: String,
    definer: String,
    moment: String,
    body: String,
}

impl NewTrigger {
    /// The statement that makes it, with the run's mark.
    #[must_use]
    pub fn create(&self, schema: &str, ghost: &str, mark: &str) -> String {
        format!(
            "CREATE /* {mark} */ DEFINER={} TRIGGER /* {mark} */ {}.{} {} ON {}.{} FOR EACH ROW {}",
            self.definer,
            quoted(schema),
            quoted(&self.name),
            self.moment,
            quoted(schema),
            quoted(ghost),
            self.body
        )
    }

    /// The statement that takes it away again.
    #[must_use]
    pub fn drop(&self, schema: &str, mark: &str) -> String {
        let (schema, name) = (quoted(schema), quoted(&self.name));
        format!("DROP /* {mark} */ TRIGGER IF EXISTS {schema}.{name}")
    }
}

/// The new triggers, in the order of the old ones. `taken` are the names of all triggers of the schema.
///
/// # Errors
/// What speaks against it.
pub fn renewed(
    triggers: &[Trigger],
    suffix: &Suffix,
    taken: &[String],
) -> Result<Vec<NewTrigger>, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut made: Vec<NewTrigger> = Vec::new();
    for trigger in triggers {
        let name = suffix.applied(&trigger.name);
        let same = |other: &str| other.to_lowercase() == name.to_lowercase();
        let mut refuse = |what: String, next: &str| refusals.push(Refusal::new(what, next));
        if name.chars().count() > NAME_CHARS_MAX {
            refuse(
                format!("trigger `{name}` would have more than {NAME_CHARS_MAX} characters"),
                "choose a shorter --trigger-suffix",
            );
        }
        if taken.iter().any(|other| same(other)) || made.iter().any(|other| same(&other.name)) {
            refuse(
                format!("the name of trigger `{name}` is taken"),
                "choose another --trigger-suffix; with --remove-trigger-suffix-if-exists a suffix of \
                 an earlier migration comes off",
            );
        }
        let foreign = !trigger.client_charset.starts_with("utf8") && !trigger.statement.is_ascii();
        if foreign {
            refuse(
                format!(
                    "trigger `{}` was written in {} with characters beyond ASCII",
                    trigger.name, trigger.client_charset
                ),
                "drop it and create it again from a session with SET NAMES utf8mb4",
            );
        }
        let Some(body) = body(&trigger.statement) else {
            refuse(
                format!("the definition of trigger `{}` can't be read", trigger.name),
                "report it with SHOW CREATE TRIGGER; drop the trigger and create it again afterwards",
            );
            continue;
        };
        made.push(NewTrigger {
            name,
            settings: format!(
                "SET SESSION sql_mode={}, character_set_client=utf8mb4, collation_connection={}",
                text_literal(&trigger.sql_mode),
                trigger.collation
            ),
            definer: account(&trigger.definer),
            moment: format!("{} {}", trigger.timing, trigger.event),
            body: body.to_owned(),
        });
    }
    if refusals.is_empty() {
        Ok(made)
    } else {
        Err(refusals)
    }
}

fn account(definer: &str) -> String {
    let (user, host) = definer.rsplit_once('@').unwrap_or((definer, "%"));
    format!("{}@{}", quoted(user), quoted(host))
}

/// What follows FOR EACH ROW. Before it stand names only, quoted or not, and comments.
fn body(statement: &str) -> Option<&str> {
    let mut rest = statement;
    let mut seen = 0;
    while let Some((word, after)) = token(rest) {
        let wanted = ["FOR", "EACH", "ROW"].get(seen)?;
        seen = if word.eq_ignore_ascii_case(wanted) {
            seen + 1
        } else {
            usize::from(word.eq_ignore_ascii_case("FOR"))
        };
        rest = after;
        if seen == 3 {
            return Some(rest.trim()).filter(|body| !body.is_empty());
        }
    }
    None
}

/// The next word, quoted name or sign, and what follows it; comments and blanks are passed over.
fn token(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if let Some(comment) = text.strip_prefix("/*") {
        let (_, after) = comment.split_once("*/")?;
        return token(after);
    }
    let first = text.chars().next()?;
    let length = match first {
        '`' | '"' | '\'' => {
            let inner = text.get(1..)?;
            inner.find(first)? + 2
        }
        first if is_of_word(first) => text.find(|c| !is_of_word(c)).unwrap_or(text.len()),
        first => first.len_utf8(),
    };
    Some((text.get(..length)?, text.get(length..)?))
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(name: &str) -> Trigger {
        Trigger {
            name: name.into(),
            timing: "BEFORE".into(),
            event: "INSERT".into(),
            definer: "app@10.%".into(),
            sql_mode: "ANSI_QUOTES".into(),
            client_charset: "utf8mb4".into(),
            collation: "utf8mb4_0900_ai_ci".into(),
            statement: format!(
                "CREATE DEFINER=`for each row`@`10.%` TRIGGER `{name}` BEFORE INSERT ON `t` FOR EACH \
                 ROW BEGIN\n SET NEW.a = 'for each row';\nEND"
            ),
        }
    }

    fn suffix(text: &str, comes_off: bool) -> Suffix {
        Suffix {
            text: text.into(),
            comes_off,
        }
    }

    #[test]
    fn everything_but_the_name_and_the_table_stays() {
        let made = renewed(&[trigger("tr")], &suffix("_v2", false), &[]).expect("new ones");
        assert_eq!(
            made[0].create("shop", "_t_gho", "mark"),
            "CREATE /* mark */ DEFINER=`app`@`10.%` TRIGGER /* mark */ `shop`.`tr_v2` BEFORE INSERT ON \
             `shop`.`_t_gho` FOR EACH ROW BEGIN\n SET NEW.a = 'for each row';\nEND"
        );
        assert!(made[0].settings.contains("sql_mode='ANSI_QUOTES'"));
    }

    #[test]
    fn a_suffix_comes_off_only_where_that_is_wanted() {
        for (name, comes_off, expected) in [
            ("tr", true, "tr_v2"),
            ("tr_v2", true, "tr"),
            ("tr_v2", false, "tr_v2_v2"),
            ("_v2", true, "_v2_v2"),
        ] {
            assert_eq!(suffix("_v2", comes_off).applied(name), expected);
        }
    }

    #[test]
    fn names_that_are_taken_or_too_long_are_refused_together() {
        let long = "n".repeat(62);
        let taken = ["TR_v2".to_owned()];
        let triggers = [trigger("tr"), trigger(&long)];
        let refusals = renewed(&triggers, &suffix("_v2", false), &taken).expect_err("two");
        assert_eq!(refusals.len(), 2);
        let mut latin = trigger("tr");
        latin.client_charset = "latin1".into();
        assert!(renewed(&[latin.clone()], &suffix("_x", false), &[]).is_ok());
        latin.statement.push_str(" -- ä");
        assert!(renewed(&[latin], &suffix("_x", false), &[]).is_err());
    }
}
