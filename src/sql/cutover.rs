//! The statements of the cut-over, all on the locking connection unless said otherwise.

use super::{Sql, Statement, text_literal};
use crate::plan::inspection::ForeignKey;
use crate::plan::names::Names;

impl Sql {
    /// Locks both tables against everybody else, and the parents of the original's foreign keys in the
    /// same schema: the rename needs them for itself, and had better wait here than with the lock held
    /// (measured on 9.7.4). Those of other schemas may be beyond the account's privileges.
    #[must_use]
    pub fn lock_tables(&self) -> Statement {
        Statement::new(
            "lock tables",
            format!(
                "LOCK /* tableshift */ TABLES {} WRITE, {} WRITE{}",
                self.original.table, self.ghost.table, self.parents
            ),
        )
    }

    /// The two halves of a change that changes nothing, but after which a transaction with an older
    /// snapshot gets error 1412 from the table, as after a plain ALTER, instead of reading it as it
    /// was then: empty, or half copied (measured on 9.7.4). The column is called by this run's mark, so
    /// it can't be one of the application's.
    #[must_use]
    pub fn guard_snapshots(&self, mark: &str) -> [Statement; 2] {
        let guard = super::quoted(mark);
        let half = |change: &str| {
            Statement::new(
                "shut old snapshots out",
                format!(
                    "ALTER /* tableshift */ TABLE {} {change}, ALGORITHM=INSTANT",
                    self.ghost.table
                ),
            )
        };
        [
            half(&format!("ADD COLUMN {guard} INT")),
            half(&format!("DROP COLUMN {guard}")),
        ]
    }

    /// Swaps the tables in one atomic step (under LOCK TABLES since MySQL 8.0.13, WL#9826).
    #[must_use]
    pub fn rename(&self) -> Statement {
        Statement::new(
            "rename tables",
            format!(
                "RENAME /* tableshift */ TABLE {} TO {}, {} TO {}",
                self.original.table, self.old, self.ghost.table, self.original.table
            ),
        )
    }

    /// Gives the tables free.
    #[must_use]
    pub fn unlock(&self) -> Statement {
        Statement::new("unlock tables", "UNLOCK TABLES".into())
    }

    /// The original's definition with its live AUTO_INCREMENT (the catalogue's is cached).
    #[must_use]
    pub fn show_original(&self) -> Statement {
        Statement::new(
            "read the definition",
            format!("SHOW CREATE TABLE {}", self.original.table),
        )
    }

    /// The ghost's definition.
    #[must_use]
    pub fn show_ghost(&self) -> Statement {
        Statement::new(
            "read the definition",
            format!("SHOW CREATE TABLE {}", self.ghost.table),
        )
    }

    /// Fresh statistics for the ghost: the optimizer goes by them from the moment of the swap.
    #[must_use]
    pub fn analyze_ghost(&self) -> Statement {
        Statement::new(
            "analyze the ghost table",
            format!("ANALYZE /* tableshift */ TABLE {}", self.ghost.table),
        )
    }

    /// Carries the next AUTO_INCREMENT value over.
    #[must_use]
    pub fn set_auto_increment(&self, next: u64) -> Statement {
        Statement::new(
            "carry AUTO_INCREMENT over",
            format!(
                "ALTER /* tableshift */ TABLE {} AUTO_INCREMENT={next}",
                self.ghost.table
            ),
        )
    }
}

/// Whether a metadata lock is one on this table; `m` is the performance schema's row.
///
/// Its columns have a collation that knows neither letter case nor accents, whatever the server does with
/// table names (9.7.4: `utf8mb4_0900_ai_ci`), so a neighbour would be taken for the table.
pub(crate) fn locks_table(schema: &str, table: &str) -> String {
    let (schema, table) = (text_literal(schema), text_literal(table));
    format!(
        "(m.OBJECT_SCHEMA={schema} AND m.OBJECT_NAME={table} AND (@@lower_case_table_names > 0 OR \
         m.OBJECT_SCHEMA={schema} COLLATE utf8mb4_bin AND m.OBJECT_NAME={table} COLLATE utf8mb4_bin))"
    )
}

/// Which of the three tables exist, from another connection, to settle what became of a RENAME.
#[must_use]
pub fn ownership(names: &Names) -> Statement {
    Statement::new(
        "read who owns the names",
        format!(
            "SELECT /* tableshift */ TABLE_NAME FROM information_schema.TABLES WHERE \
             TABLE_SCHEMA={} AND TABLE_NAME IN ({}, {}, {})",
            text_literal(&names.schema),
            text_literal(&names.original),
            text_literal(&names.ghost),
            text_literal(&names.old),
        ),
    )
}

/// Sessions that hold a metadata lock on the original or the ghost: their statement or transaction must
/// end before LOCK TABLES gets its turn. And those that hold the backup lock or the global read lock.
///
/// A lock without a thread belongs to a prepared XA transaction (measured on 9.7.4). One whose thread has no
/// session is the server's own, and no obstacle: the one that removes old versions of rows holds the table for
/// moments, again and again (`tests/blockers.rs`). The last column counts
/// locks that somebody asked for by name: transactions by themselves have none but these types.
#[must_use]
pub fn blockers(names: &Names, parents: &[ForeignKey]) -> Statement {
    Statement::new(
        "look for blockers",
        format!(
            "WITH /* tableshift */ b AS (SELECT t.PROCESSLIST_ID AS id, t.PROCESSLIST_USER AS user, t.PROCESSLIST_HOST AS \
             host, CAST(MAX(COALESCE(x.TIMER_WAIT DIV 1000000000000, t.PROCESSLIST_TIME, 0)) AS \
             UNSIGNED) AS age, LEFT(MAX(COALESCE(t.PROCESSLIST_INFO, '')), 120) AS info, \
             MAX(t.PROCESSLIST_COMMAND) AS command, MAX(m.OBJECT_TYPE = 'BACKUP LOCK') AS backup, \
             MAX(m.OBJECT_TYPE IN ('GLOBAL', 'COMMIT')) AS flush, MAX(IF(x.STATE = 'ACTIVE', \
             COALESCE(x.XA_STATE, 'NOTXA'), NULL)) AS xa, MAX(t.NAME LIKE '%one\\_connection') AS \
             client, t.THREAD_ID AS thread \
             FROM performance_schema.metadata_locks AS m \
             LEFT JOIN performance_schema.threads AS t ON t.THREAD_ID = m.OWNER_THREAD_ID \
             LEFT JOIN performance_schema.events_transactions_current AS x ON x.THREAD_ID = \
             m.OWNER_THREAD_ID AND x.STATE = 'ACTIVE' \
             WHERE (m.OBJECT_TYPE = 'BACKUP LOCK' AND m.LOCK_TYPE = 'SHARED' OR m.OBJECT_TYPE IN \
             ('GLOBAL', 'COMMIT') AND m.LOCK_TYPE = 'SHARED' OR m.OBJECT_TYPE = \
             'TABLE' AND ({original} OR {ghost} OR \
             CONCAT(m.OBJECT_SCHEMA, '.', m.OBJECT_NAME) IN ({parents}))) AND \
             m.LOCK_STATUS = 'GRANTED' AND (t.THREAD_ID IS NULL OR t.PROCESSLIST_ID <> \
             CONNECTION_ID()) GROUP BY t.PROCESSLIST_ID, t.PROCESSLIST_USER, t.PROCESSLIST_HOST, \
             t.THREAD_ID ORDER BY age DESC LIMIT 20) SELECT /* tableshift */ id, user, host, age, info, \
             command, backup, flush, xa, client, {program}, {ours}, {explicit} FROM b",
            program = attribute("LEFT(MAX(a.ATTR_VALUE), 40)", "program_name"),
            ours = OURS,
            explicit = EXPLICIT_LOCKS,
            original = locks_table(&names.schema, &names.original),
            ghost = locks_table(&names.schema, &names.ghost),
            parents = parents
                .iter()
                .map(|key| text_literal(&key.parent))
                .chain(["''".to_owned()])
                .collect::<Vec<_>>()
                .join(", "),
        ),
    )
}

/// Locks of a session that no transaction takes by itself: GET_LOCK, a backup's, HANDLER's, LOCK TABLES'
/// and those of DDL.
const EXPLICIT_LOCKS: &str = "(SELECT COUNT(*) FROM performance_schema.metadata_locks AS e WHERE \
    e.OWNER_THREAD_ID = b.thread AND e.LOCK_STATUS = 'GRANTED' AND (e.OBJECT_TYPE IN ('USER LEVEL \
    LOCK', 'LOCKING SERVICE', 'BACKUP LOCK') OR e.LOCK_DURATION = 'EXPLICIT' OR e.OBJECT_TYPE IN \
    ('GLOBAL', 'COMMIT') AND e.LOCK_TYPE = 'SHARED' OR e.OBJECT_TYPE = 'TABLE' AND e.LOCK_TYPE NOT IN \
    ('SHARED', 'SHARED_HIGH_PRIO', 'SHARED_READ', 'SHARED_WRITE', 'SHARED_WRITE_LOW_PRIO')))";

/// Marks of this program on a session: one place of the two is enough.
const OURS: &str = "((SELECT COUNT(*) FROM performance_schema.session_connect_attrs AS a WHERE \
    a.PROCESSLIST_ID = b.id AND a.ATTR_NAME = 'tableshift_run') + (SELECT COUNT(*) FROM \
    performance_schema.user_variables_by_thread AS v WHERE v.THREAD_ID = b.thread AND \
    v.VARIABLE_NAME = 'tableshift_run'))";

/// What the clients of a session have said of themselves when they connected.
fn attribute(what: &str, name: &str) -> String {
    format!(
        "(SELECT {what} FROM performance_schema.session_connect_attrs AS a WHERE a.PROCESSLIST_ID = \
         b.id AND a.ATTR_NAME = '{name}')"
    )
}

/// Rows that a session's transaction has changed; none when InnoDB has no transaction of it. One that is
/// being rolled back already counts as too large to be ended.
#[must_use]
pub fn weights(id: u64) -> Statement {
    Statement::new(
        "weigh a transaction",
        format!(
            "SELECT /* tableshift */ CAST(COALESCE(MAX(IF(trx_state = 'ROLLING BACK', \
             9223372036854775807, trx_rows_modified)), 0) AS UNSIGNED) FROM \
             information_schema.INNODB_TRX WHERE trx_mysql_thread_id = {id}"
        ),
    )
}

/// The connection that holds the run's advisory lock.
#[must_use]
pub fn used_lock(names: &Names) -> Statement {
    Statement::new(
        "look at the advisory lock",
        format!(
            "SELECT /* tableshift */ IS_USED_LOCK({})",
            text_literal(&names.advisory_lock())
        ),
    )
}

/// How many transactions have read the original and not (yet) written to it.
#[must_use]
pub fn readers(names: &Names) -> Statement {
    Statement::new(
        "look for readers",
        format!(
            "SELECT /* tableshift */ COUNT(*) FROM (SELECT OWNER_THREAD_ID FROM \
             performance_schema.metadata_locks AS m WHERE OBJECT_TYPE='TABLE' AND LOCK_STATUS='GRANTED' \
             AND {} AND LOCK_DURATION='TRANSACTION' GROUP BY \
             OWNER_THREAD_ID HAVING SUM(LOCK_TYPE='SHARED_READ') > 0 AND \
             SUM(LOCK_TYPE='SHARED_WRITE') = 0) AS d",
            locks_table(&names.schema, &names.original),
        ),
    )
}

/// Write locks on the original's metadata at this moment, for the start barrier: the owner's thread,
/// whether the thread is gone, as it is for prepared XA transactions whose session has ended, and the
/// event of that thread in which the lock was taken: a later transaction's is higher.
#[must_use]
pub fn writers_now(names: &Names) -> Statement {
    Statement::new(
        "look for open transactions",
        format!(
            "SELECT /* tableshift */ COALESCE(m.OWNER_THREAD_ID, 0), t.PROCESSLIST_ID IS NULL, \
             COALESCE(m.OWNER_EVENT_ID, 0) FROM \
             performance_schema.metadata_locks AS m LEFT JOIN performance_schema.threads AS t ON \
             t.THREAD_ID = m.OWNER_THREAD_ID WHERE m.OBJECT_TYPE='TABLE' AND \
             m.LOCK_STATUS='GRANTED' AND {} AND m.LOCK_TYPE \
             NOT IN ('SHARED', 'SHARED_HIGH_PRIO', 'SHARED_READ', 'SHARED_READ_ONLY')",
            locks_table(&names.schema, &names.original),
        ),
    )
}

/// A definition as SHOW CREATE TABLE gives it, without the counter, which changes by itself.
#[must_use]
pub fn without_counter(definition: &str) -> String {
    match counter_place(definition) {
        Some((start, end)) => {
            let rest = definition.get(end..).unwrap_or_default();
            format!("{}{}", definition.get(..start).unwrap_or_default(), rest)
        }
        None => definition.to_owned(),
    }
}

/// The counter in a definition.
#[must_use]
pub fn counter(definition: &str) -> Option<u64> {
    let (start, end) = counter_place(definition)?;
    definition
        .get(start..end)?
        .trim()
        .strip_prefix("AUTO_INCREMENT=")?
        .parse()
        .ok()
}

/// Where ` AUTO_INCREMENT=n` stands among the table options: they follow the parenthesis that closes
/// the columns (a TABLESPACE in a version comment may come first), and nothing in quotes stands before
/// it (COMMENT comes later).
fn counter_place(definition: &str) -> Option<(usize, usize)> {
    let options = definition.rfind("\n) ")?;
    let text = definition.get(options..)?;
    let plain = text.get(..text.find('\'').unwrap_or(text.len()))?;
    let start = options + plain.find(" AUTO_INCREMENT=")?;
    let digits = definition.get(start + " AUTO_INCREMENT=".len()..)?;
    let length = digits.chars().take_while(char::is_ascii_digit).count();
    Some((start, start + " AUTO_INCREMENT=".len() + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_read_from_the_options_only() {
        let definition = "CREATE TABLE `t` (\n  `id` int NOT NULL AUTO_INCREMENT COMMENT \
                          'AUTO_INCREMENT=99',\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB \
                          AUTO_INCREMENT=14 DEFAULT CHARSET=utf8mb4 COMMENT='was AUTO_INCREMENT=7'";
        assert_eq!(counter(definition), Some(14));
        assert!(
            without_counter(definition).contains(") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT")
        );
        let placed = "CREATE TABLE `t` (\n  `id` int\n) /*!50100 TABLESPACE `innodb_file_per_table` */ \
                      ENGINE=InnoDB AUTO_INCREMENT=1024 DEFAULT CHARSET=utf8mb4\n/*!50100 PARTITION \
                      BY HASH (`id`)\nPARTITIONS 4 */";
        assert_eq!(counter(placed), Some(1024));
        let plain = "CREATE TABLE `t` (\n  `id` int\n) ENGINE=InnoDB COMMENT='AUTO_INCREMENT=100'";
        assert_eq!(counter(plain), None);
        assert_eq!(without_counter(plain), plain);
    }
}
