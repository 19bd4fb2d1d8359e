//! Indexes that another one makes superfluous, told from SHOW CREATE TABLE: it has the lengths, directions
//! and expressions of all parts.

use super::Finding;
use crate::sql::quoted;

/// An index as its line in the definition has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    name: String,
    unique: bool,
    /// The parts, as they stand between the parentheses.
    parts: String,
    visible: bool,
}

/// Indexes of the new table whose parts another one begins with.
pub(super) fn redundant(before: &str, after: &str) -> Vec<Finding> {
    let present = lines(before);
    let old = pairs(&present);
    pairs(&lines(after))
        .iter()
        .map(|(spare, by)| {
            let what = format!(
                "index {} is redundant: {} begins with the same columns",
                quoted(spare),
                quoted(by)
            );
            let means = "each change of a row writes to both, and every query finds its rows by the other one";
            let next = if present.iter().any(|line| line.name == *spare) {
                "drop it in this ALTER, unless a query names it"
            } else {
                "leave it out of the ALTER"
            };
            if old.iter().any(|(name, _)| name == spare) {
                Finding::info("redundant-index", what, means, next)
            } else {
                Finding::warning("redundant-index", what, means, next)
            }
        })
        .collect()
}

/// Those that the table has already.
#[must_use]
pub fn of_table(definition: &str) -> Vec<Finding> {
    redundant(definition, definition)
}

/// Each superfluous index with the one that does its work.
fn pairs(lines: &[Line]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (position, one) in lines.iter().enumerate() {
        let other = lines.iter().enumerate().find(|(place, other)| {
            *place != position && other.visible && replaces(other, one, *place < position)
        });
        found.extend(other.map(|(_, other)| (one.name.clone(), other.name.clone())));
    }
    found
}

/// Whether `other` does the work of `one`; of two that are alike the later one is superfluous.
fn replaces(other: &Line, one: &Line, first: bool) -> bool {
    let alike = other.parts == one.parts;
    if one.name == "PRIMARY" || one.unique && !(alike && other.unique) {
        return false;
    }
    let longer = other.parts.starts_with(&format!("{},", one.parts));
    longer || alike && (first || other.unique && !one.unique)
}

fn lines(definition: &str) -> Vec<Line> {
    definition.lines().filter_map(line).collect()
}

fn line(text: &str) -> Option<Line> {
    let (unique, name, rest) = if let Some(rest) = text.strip_prefix("  PRIMARY KEY ") {
        (true, "PRIMARY".to_owned(), rest)
    } else {
        let unique = text.strip_prefix("  UNIQUE KEY `");
        let rest = unique.or_else(|| text.strip_prefix("  KEY `"))?;
        let (name, rest) = rest.split_once("` (")?;
        let rest = text.get(text.len() - rest.len() - 1..)?;
        (unique.is_some(), name.replace("``", "`"), rest)
    };
    let parts = inside(rest)?;
    Some(Line {
        visible: !rest.ends_with("INVISIBLE */") && !rest.ends_with("INVISIBLE */,"),
        parts: parts.to_owned(),
        name,
        unique,
    })
}

/// What stands between the first parenthesis and its counterpart.
fn inside(text: &str) -> Option<&str> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '`' | '\'') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return text.get(1..at);
                }
            }
            (Some(_) | None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::findings::Severity;

    fn table(indexes: &str) -> String {
        format!("CREATE TABLE `t` (\n  `a` int,\n  PRIMARY KEY (`id`),\n{indexes}\n) ENGINE=InnoDB")
    }

    fn spare(indexes: &str) -> Vec<(String, String)> {
        pairs(&lines(&table(indexes)))
    }

    #[test]
    fn an_index_that_begins_another_one_is_redundant() {
        for indexes in [
            "  KEY `one` (`a`),\n  KEY `two` (`a`,`b`)",
            "  KEY `one` (`a`),\n  UNIQUE KEY `two` (`a`,`b`)",
            "  KEY `two` (`a`,`b`),\n  KEY `one` (`a`,`b`) USING BTREE",
            "  KEY `one` (`a`),\n  UNIQUE KEY `two` (`a`)",
            "  UNIQUE KEY `two` (`a`),\n  UNIQUE KEY `one` (`a`)",
            "  KEY `one` ((lower(`a`))),\n  KEY `two` ((lower(`a`)),`b`)",
        ] {
            let expected = [("one".to_owned(), "two".to_owned())];
            assert_eq!(spare(indexes), expected, "{indexes}");
        }
        let by_primary = spare("  KEY `one` (`id`)");
        assert_eq!(by_primary, [("one".to_owned(), "PRIMARY".to_owned())]);
    }

    #[test]
    fn an_index_with_work_of_its_own_is_not() {
        for indexes in [
            "  KEY `one` (`b`),\n  KEY `two` (`a`,`b`)",
            "  UNIQUE KEY `one` (`a`),\n  KEY `two` (`a`,`b`)",
            "  KEY `one` (`a`(5)),\n  KEY `two` (`a`(10),`b`)",
            "  KEY `one` (`a` DESC),\n  KEY `two` (`a`,`b`)",
            "  KEY `one` (`a`),\n  KEY `two` (`a`,`b`) /*!80000 INVISIBLE */",
            "  KEY `one` (`a`),\n  KEY `two` (`a,b`)",
            "  FULLTEXT KEY `one` (`a`),\n  KEY `two` (`a`,`b`)",
        ] {
            assert_eq!(spare(indexes), [], "{indexes}");
        }
    }

    #[test]
    fn only_what_the_alter_brings_is_a_warning() {
        let plain = table("  KEY `one` (`a`)");
        let doubled = table("  KEY `one` (`a`),\n  KEY `two` (`a`,`b`)");
        let severity = |before: &str| {
            let found = redundant(before, &doubled);
            found
                .iter()
                .map(|finding| finding.severity)
                .collect::<Vec<_>>()
        };
        assert_eq!(severity(&plain), [Severity::Warning]);
        assert_eq!(severity(&doubled), [Severity::Info]);
    }
}
