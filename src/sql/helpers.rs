//! Ghost, changelog and clean-up statements.

use super::{Sql, Statement, qualified, quoted, text_literal};
use crate::plan::constraints::Check;
use crate::plan::names::Names;

/// Hint of the changelog row that carries markers; the state row of gh-ost.
pub const HINT_MARKER: &str = "state";
/// Hint of the changelog row that carries heartbeats.
pub const HINT_HEARTBEAT: &str = "heartbeat";

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

    /// Counts duplicates under a unique key that the ALTER introduces, without showing values.
    #[must_use]
    pub fn count_duplicates(&self, ghost_columns: &[String]) -> Option<Statement> {
        let expressions: Option<Vec<(String, String)>> = ghost_columns
            .iter()
            .map(|name| {
                let shared = self
                    .shared
                    .iter()
                    .find(|shared| crate::plan::inspection::same_name(&shared.to.name, name))?;
                let column = format!("{}.{}", self.original.table, quoted(&shared.from.name));
                let value = match (&shared.to.charset, &shared.to.collation) {
                    (Some(charset), Some(collation)) => {
                        format!("CONVERT({column} USING {charset}) COLLATE {collation}")
                    }
                    _ => column.clone(),
                };
                Some((value, format!("{column} IS NOT NULL")))
            })
            .collect();
        let expressions = expressions.filter(|expressions| !expressions.is_empty())?;
        let values: Vec<&str> = expressions
            .iter()
            .map(|(value, _)| value.as_str())
            .collect();
        let not_null: Vec<&str> = expressions
            .iter()
            .map(|(_, check)| check.as_str())
            .collect();
        Some(Statement::new(
            "look for duplicates",
            format!(
                "SELECT /* tableshift */ COUNT(*), CAST(COALESCE(SUM(n), 0) AS UNSIGNED) FROM \
                 (SELECT COUNT(*) AS n FROM {} WHERE {} GROUP BY {} HAVING COUNT(*) > 1) AS d",
                self.original.table,
                not_null.join(" AND "),
                values.join(", "),
            ),
        ))
    }
}
