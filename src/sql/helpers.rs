//! Ghost, changelog and clean-up statements.

use super::{Sql, Statement, qualified, quoted, text_literal};
use crate::plan::constraints::Check;
use crate::plan::names::Names;
use crate::plan::shortcut::Native;
use crate::plan::unique_key::Term;

/// Changelog row of the markers, gh-ost's state row.
pub const MARKER_ROW: u64 = 2;
/// Hint of the changelog row that carries markers; the state row of gh-ost.
pub const HINT_MARKER: &str = "state";
/// Hint of the changelog row that carries heartbeats.
pub const HINT_HEARTBEAT: &str = "heartbeat";

/// Hint of the changelog row that bears the mark of the run that made it.
pub const HINT_RUN: &str = "run";

/// Signs the changelog with the run's mark, by which later ones can tell whose it is.
#[must_use]
pub fn sign_changelog(names: &Names, mark: &str) -> Statement {
    Statement::new(
        "sign the changelog",
        format!(
            "INSERT /* tableshift */ INTO {} (id, hint, value) VALUES (3, {}, {})",
            qualified(&names.schema, &names.changelog),
            text_literal(HINT_RUN),
            text_literal(mark),
        ),
    )
}

/// Creates the changelog with gh-ost's columns.
#[must_use]
pub fn create_changelog(names: &Names) -> Statement {
    Statement::new(
        "create the changelog table",
        format!(
            "CREATE /* tableshift */ TABLE {} (id BIGINT UNSIGNED AUTO_INCREMENT, last_update \
             TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint \
             VARCHAR(64) CHARACTER SET ascii NOT NULL, value VARCHAR(4096) CHARACTER SET ascii NOT \
             NULL, PRIMARY KEY (id), UNIQUE KEY hint_uidx (hint)) AUTO_INCREMENT=256 \
             COMMENT='tableshift changelog'",
            qualified(&names.schema, &names.changelog)
        ),
    )
}

/// Creates the ghost in the original's shape.
#[must_use]
pub fn create_ghost(names: &Names) -> Statement {
    Statement::new(
        "create the ghost table",
        format!(
            "CREATE /* tableshift */ TABLE {} LIKE {}",
            qualified(&names.schema, &names.ghost),
            qualified(&names.schema, &names.original)
        ),
    )
}

/// Gives the ghost its new shape.
#[must_use]
pub fn alter_ghost(names: &Names, clauses: &str) -> Statement {
    Statement::new(
        "alter the ghost table",
        format!(
            "ALTER /* tableshift */ TABLE {} {clauses}",
            qualified(&names.schema, &names.ghost)
        ),
    )
}

/// Alters a table by itself, if the server can do it this way and no other.
fn alter_natively(name: &'static str, table: &str, native: Native, clauses: &str) -> Statement {
    Statement::new(
        name,
        format!(
            "ALTER /* tableshift */ TABLE {table} {}, {clauses}",
            native.clauses()
        ),
    )
}

/// Alters the original itself.
#[must_use]
pub fn alter_original(names: &Names, native: Native, clauses: &str) -> Statement {
    let name = match native {
        Native::AtOnce => "alter the table instantly",
        Native::InPlace => "alter the table in place",
    };
    let table = qualified(&names.schema, &names.original);
    alter_natively(name, &table, native, clauses)
}

/// Tries on the empty ghost whether the server can alter the table so.
#[must_use]
pub fn try_on_ghost(names: &Names, native: Native, clauses: &str) -> Statement {
    let table = qualified(&names.schema, &names.ghost);
    alter_natively("try what the server can", &table, native, clauses)
}

/// The numbers of a table and its indexes in InnoDB.
#[must_use]
pub fn innodb_ids(innodb_name: &str) -> Statement {
    Statement::new(
        "read the ghost's numbers",
        format!(
            "SELECT /* tableshift */ t.TABLE_ID, i.INDEX_ID FROM information_schema.INNODB_TABLES t JOIN \
             information_schema.INNODB_INDEXES i ON i.TABLE_ID = t.TABLE_ID WHERE t.NAME = {}",
            text_literal(innodb_name)
        ),
    )
}

/// Drops CHECK constraints of the ghost.
#[must_use]
pub fn drop_checks(names: &Names, checks: &[Check]) -> Statement {
    let drops: Vec<String> = checks
        .iter()
        .map(|check| format!("DROP CHECK {}", quoted(&check.name)))
        .collect();
    alter_ghost(names, &drops.join(", "))
}

/// Gives the ghost CHECK constraints under these names.
#[must_use]
pub fn add_checks(names: &Names, checks: &[Check]) -> Statement {
    let adds: Vec<String> = checks
        .iter()
        .map(|check| {
            format!(
                "ADD CONSTRAINT {} CHECK {}",
                quoted(&check.name),
                check.clause
            )
        })
        .collect();
    alter_ghost(names, &adds.join(", "))
}

/// Counts the original's rows.
#[must_use]
pub fn count_rows(names: &Names) -> Statement {
    Statement::new(
        "count the rows",
        format!(
            "SELECT /* tableshift */ COUNT(*) FROM {}",
            qualified(&names.schema, &names.original)
        ),
    )
}

/// Drops one of the helper tables.
#[must_use]
pub fn drop_table(schema: &str, table: &str) -> Statement {
    Statement::new(
        "drop a helper table",
        format!(
            "DROP /* tableshift */ TABLE IF EXISTS {}",
            qualified(schema, table)
        ),
    )
}

/// What the operator runs to drop the old table.
#[must_use]
pub fn drop_old_hint(names: &Names) -> String {
    format!("DROP TABLE {}", qualified(&names.schema, &names.old))
}

impl Sql {
    /// Writes a row of the changelog under this hint; the row's event carries it through the
    /// stream.
    #[must_use]
    pub fn changelog_row(&self, id: u8, hint: &str, value: &str) -> Statement {
        Statement::new(
            "write the changelog",
            format!(
                "INSERT /* tableshift */ INTO {} (id, hint, value) VALUES ({id}, {}, {value}) ON \
                 DUPLICATE KEY UPDATE last_update=NOW(), value={value}",
                self.changelog,
                text_literal(hint),
                value = text_literal(value),
            ),
        )
    }

    /// Looks for a row with NULL in one of these columns of the original; nothing to look for when
    /// there are none.
    #[must_use]
    pub fn null_in_key(&self, columns: &[String]) -> Option<Statement> {
        if columns.is_empty() {
            return None;
        }
        let conditions: Vec<String> = columns
            .iter()
            .map(|name| format!("{}.{} IS NULL", self.original.table, super::quoted(name)))
            .collect();
        Some(Statement::new(
            "look for NULL in the key",
            format!(
                "SELECT /* tableshift */ 1 FROM {} WHERE {} LIMIT 1",
                self.original.table,
                conditions.join(" OR "),
            ),
        ))
    }

    /// Looks for a row that AUTO_INCREMENT would number in a column that gets it by the ALTER; nothing to
    /// look for when none does.
    #[must_use]
    pub fn zeros_that_would_be_numbered(&self, plan: &crate::plan::Plan) -> Option<Statement> {
        let gains = |shared: &&super::SharedColumn| {
            shared.to.auto_increment() && !shared.from.auto_increment()
        };
        let shared = plan.columns.shared.iter().find(gains)?;
        let column = format!(
            "{}.{}",
            self.original.table,
            super::quoted(&shared.from.name)
        );
        Some(Statement::new(
            "look for zeros",
            format!(
                "SELECT /* tableshift */ 1 FROM {} WHERE {column} = 0 OR {column} IS NULL LIMIT 1",
                self.original.table
            ),
        ))
    }

    /// The same in the ghost, where the column is the beginning of an index: what has come during the run.
    #[must_use]
    pub fn zeros_in_the_ghost(&self, plan: &crate::plan::Plan) -> Option<Statement> {
        let gains = |shared: &&super::SharedColumn| {
            shared.to.auto_increment() && !shared.from.auto_increment()
        };
        let shared = plan.columns.shared.iter().find(gains)?;
        Some(Statement::new(
            "look for zeros",
            format!(
                "SELECT /* tableshift */ 1 FROM {table} WHERE {table}.{} = 0 LIMIT 1",
                super::quoted(&shared.to.name),
                table = self.ghost.table,
            ),
        ))
    }

    /// Counts duplicates under a unique key that the ALTER introduces.
    #[must_use]
    pub fn count_duplicates(&self, terms: &[Term<'_>]) -> Option<Statement> {
        let terms = self.terms(terms)?;
        Some(Statement::new(
            "look for duplicates",
            format!(
                "SELECT /* tableshift */ COUNT(*), CAST(COALESCE(SUM(n), 0) AS UNSIGNED) FROM \
                 (SELECT COUNT(*) AS n FROM {} WHERE {} GROUP BY {} HAVING COUNT(*) > 1) AS d",
                self.original.table,
                terms.not_null.join(" AND "),
                terms.values.join(", "),
            ),
        ))
    }

    /// The query by which somebody finds duplicates, compared as the new key compares.
    #[must_use]
    pub fn duplicates_by_hand(&self, terms: &[Term<'_>]) -> Option<String> {
        let terms = self.terms(terms)?;
        let table = &self.original.table;
        let query = format!(
            "SELECT {values}, COUNT(*) FROM {table} WHERE {not_null} GROUP BY {values} HAVING COUNT(*) > 1",
            values = terms.values.join(", "),
            not_null = terms.not_null.join(" AND "),
        );
        // There is only one table.
        Some(query.replace(&format!("{table}."), ""))
    }

    /// The keys of some rows that are duplicates under such a key, each with the number of its group
    /// behind it; `most` bounds the groups and twice that the rows.
    #[must_use]
    pub fn duplicate_rows(&self, terms: &[Term<'_>], most: usize) -> Option<Statement> {
        let terms = self.terms(terms)?;
        let numbered = |separator: &str, form: fn(&str, usize) -> String| {
            let parts: Vec<String> = terms
                .values
                .iter()
                .zip(1..)
                .map(|(value, number)| form(value, number))
                .collect();
            parts.join(separator)
        };
        Some(Statement::new(
            "look for duplicates",
            format!(
                "SELECT /* tableshift */ {keys}, d.g FROM {original} JOIN (SELECT {named}, ROW_NUMBER() \
                 OVER () AS g FROM {original} WHERE {not_null} GROUP BY {values} HAVING COUNT(*) > 1 \
                 LIMIT {most}) AS d ON {same} ORDER BY d.g, {order} LIMIT {rows}",
                keys = self.original.key_expressions(),
                original = self.original.table,
                named = numbered(", ", |value, number| format!("{value} AS c{number}")),
                not_null = terms.not_null.join(" AND "),
                values = terms.values.join(", "),
                same = numbered(" AND ", |value, number| format!("{value} = d.c{number}")),
                order = self.original.key_expressions(),
                rows = 2 * most,
            ),
        ))
    }

    /// The terms of such a key, as the ghost compares them, over the original.
    fn terms(&self, asked: &[Term<'_>]) -> Option<Terms> {
        let mut terms = Terms {
            values: Vec::new(),
            not_null: Vec::new(),
        };
        for term in asked {
            let shared = self
                .shared
                .iter()
                .find(|shared| crate::plan::inspection::same_name(&shared.to.name, term.column))?;
            let column = format!("{}.{}", self.original.table, quoted(&shared.from.name));
            terms.not_null.push(format!("{column} IS NOT NULL"));
            let cut = |value: String| match term.prefix {
                Some(length) => format!("LEFT({value}, {length})"),
                None => value,
            };
            let value = match (&shared.to.charset, &shared.to.collation) {
                (Some(charset), Some(collation)) => {
                    let converted = cut(format!("CONVERT({column} USING {charset})"));
                    format!("{converted} COLLATE {collation}")
                }
                _ => cut(column),
            };
            terms.values.push(value);
        }
        (!terms.values.is_empty()).then_some(terms)
    }
}

/// What makes two rows the same under a unique key.
struct Terms {
    values: Vec<String>,
    not_null: Vec<String>,
}
