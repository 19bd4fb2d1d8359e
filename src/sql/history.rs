//! Statements of the history.

use super::{Statement, qualified, quoted, text_literal};
use crate::plan::history::{COLUMNS, Ending, INTERRUPTED, RUNNING, Run, TABLE, comment};

/// Tables with the history's name, of one schema or of all that the account sees.
#[must_use]
pub fn tables(schema: Option<&str>) -> Statement {
    let of_schema = match schema {
        Some(schema) => format!(" AND TABLE_SCHEMA={}", text_literal(schema)),
        None => String::new(),
    };
    Statement::new(
        "look for the history",
        format!(
            "SELECT /* tableshift */ TABLE_SCHEMA, TABLE_COMMENT FROM information_schema.TABLES WHERE \
             TABLE_NAME={}{of_schema} ORDER BY TABLE_SCHEMA",
            text_literal(TABLE)
        ),
    )
}

/// Makes the history's schema the default one. Replicas filter DDL by the default schema, and rows by the
/// table's own: without this one could come without the other.
#[must_use]
pub fn enter(schema: &str) -> Statement {
    Statement::new(
        "enter the history's schema",
        format!("USE {}", quoted(schema)),
    )
}

/// Makes the table.
#[must_use]
pub fn create(schema: &str) -> Statement {
    Statement::new(
        "create the history",
        format!(
            "CREATE /* tableshift */ TABLE IF NOT EXISTS {} (\
             run_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
             kind VARCHAR(16) NOT NULL, \
             table_schema VARCHAR(64) NOT NULL, \
             table_name VARCHAR(64) NOT NULL, \
             alter_text LONGTEXT NOT NULL, \
             started DATETIME(6) NOT NULL COMMENT 'UTC', \
             ended DATETIME(6) NULL COMMENT 'UTC', \
             result VARCHAR(16) NOT NULL, \
             exit_code TINYINT UNSIGNED NULL, \
             reason TEXT NOT NULL, \
             mysql_account VARCHAR(512) NOT NULL, \
             os_user VARCHAR(255) NOT NULL, \
             tool_host VARCHAR(255) NOT NULL, \
             tool_pid INT UNSIGNED NOT NULL, \
             tool_version VARCHAR(128) NOT NULL, \
             server_host VARCHAR(255) NOT NULL, \
             server_port INT UNSIGNED NOT NULL, \
             server_uuid VARCHAR(36) NOT NULL, \
             server_version VARCHAR(128) NOT NULL, \
             advisory_lock VARCHAR(64) NOT NULL, \
             lock_connection BIGINT UNSIGNED NOT NULL, \
             rows_copied BIGINT UNSIGNED NULL, \
             keys_refreshed BIGINT UNSIGNED NULL, \
             rows_verified BIGINT UNSIGNED NULL, \
             copy_ms BIGINT UNSIGNED NULL, \
             locked_ms BIGINT UNSIGNED NULL, \
             cut_over_attempts INT UNSIGNED NULL, \
             log_position LONGTEXT NULL, \
             PRIMARY KEY (run_id), \
             KEY by_time (started), \
             KEY by_table (table_schema, table_name, started)) \
             ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT={}",
            qualified(schema, TABLE),
            text_literal(&comment()),
        ),
    )
}

/// Records a run: that it began, and how it ended if it has. Both may be sent twice, and the second makes
/// up for a first that never arrived.
#[must_use]
pub fn record(schema: &str, run: &Run, ending: Option<&Ending>) -> Statement {
    let begun = begun(run);
    let ended = match ending {
        Some(ending) => ended(ending),
        None => vec![
            ("result", text_literal(RUNNING)),
            ("reason", text_literal("")),
        ],
    };
    let again = match ending {
        Some(_) => ended
            .iter()
            .map(|(column, value)| format!("{column}={value}"))
            .collect(),
        // What came first stays.
        None => vec!["run_id=run_id".to_owned()],
    };
    let (columns, values): (Vec<&str>, Vec<String>) = begun.into_iter().chain(ended).unzip();
    let name = match ending {
        Some(_) => "record the end of the run",
        None => "record the run",
    };
    Statement::new(
        name,
        format!(
            "INSERT /* tableshift */ INTO {} ({}) VALUES ({}) ON DUPLICATE KEY UPDATE {}",
            qualified(schema, TABLE),
            columns.join(", "),
            values.join(", "),
            again.join(", "),
        ),
    )
}

fn begun(run: &Run) -> Vec<(&'static str, String)> {
    let (lock, holder) = &run.lock;
    vec![
        ("run_id", text_literal(&run.id)),
        ("kind", text_literal(run.kind.word())),
        ("table_schema", text_literal(&run.schema)),
        ("table_name", text_literal(&run.table)),
        ("alter_text", text_literal(&run.alter)),
        (
            "started",
            format!("UTC_TIMESTAMP(6) - INTERVAL {}000 MICROSECOND", run.age_ms),
        ),
        ("mysql_account", "CURRENT_USER()".into()),
        ("os_user", text_literal(&run.os_user)),
        ("tool_host", text_literal(&run.host)),
        ("tool_pid", run.pid.to_string()),
        ("tool_version", text_literal(&run.version)),
        ("server_host", "@@hostname".into()),
        ("server_port", "@@port".into()),
        ("server_uuid", "@@server_uuid".into()),
        ("server_version", "VERSION()".into()),
        ("advisory_lock", text_literal(lock)),
        ("lock_connection", holder.to_string()),
    ]
}

fn ended(ending: &Ending) -> Vec<(&'static str, String)> {
    let figures = &ending.figures;
    vec![
        ("ended", "UTC_TIMESTAMP(6)".into()),
        ("result", text_literal(ending.result)),
        ("exit_code", ending.exit_code.to_string()),
        ("reason", text_literal(&ending.reason)),
        ("rows_copied", figures.rows_copied.to_string()),
        ("keys_refreshed", figures.keys_refreshed.to_string()),
        ("rows_verified", figures.rows_verified.to_string()),
        ("copy_ms", figures.copy_ms.to_string()),
        ("locked_ms", figures.locked_ms.to_string()),
        ("cut_over_attempts", figures.attempts.to_string()),
        ("log_position", text_literal(&figures.position)),
    ]
}

/// Marks earlier runs on this table and server whose end nobody recorded: whoever holds the table's
/// advisory lock knows that they are over.
#[must_use]
pub fn mark_interrupted(schema: &str, run: &Run) -> Statement {
    Statement::new(
        "mark interrupted runs",
        format!(
            "UPDATE /* tableshift */ {} SET result={}, reason={} WHERE table_schema={} AND table_name={} \
             AND result={} AND server_uuid=@@server_uuid AND run_id<>{}",
            qualified(schema, TABLE),
            text_literal(INTERRUPTED),
            text_literal(&format!(
                "it ended without recording how; run {} found it so",
                run.id
            )),
            text_literal(&run.schema),
            text_literal(&run.table),
            text_literal(RUNNING),
            text_literal(&run.id),
        ),
    )
}

/// What is listed: the newest runs, of one schema or table if named. Behind the columns stand whether the
/// run is of this server, and whether the connection that held its lock still does.
#[must_use]
pub fn list(history: &str, schema: &str, table: &str, limit: usize) -> Statement {
    let columns: Vec<&str> = COLUMNS
        .iter()
        .map(|(column, _)| match *column {
            // Nobody knows when an interrupted run ended.
            "took_ms" => {
                "CASE WHEN ended IS NOT NULL THEN TIMESTAMPDIFF(MICROSECOND, started, ended) DIV 1000 \
                 WHEN result='running' THEN TIMESTAMPDIFF(MICROSECOND, started, UTC_TIMESTAMP(6)) DIV \
                 1000 END"
            }
            column => column,
        })
        .collect();
    let conditions: Vec<String> = [("table_schema", schema), ("table_name", table)]
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(column, value)| format!("{column}={}", text_literal(value)))
        .collect();
    let which = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    let most = match limit {
        0 => String::new(),
        limit => format!(" LIMIT {limit}"),
    };
    Statement::new(
        "read the history",
        format!(
            "SELECT /* tableshift */ {}, server_uuid=@@server_uuid, COALESCE(IF(result='running' AND \
             server_uuid=@@server_uuid, IS_USED_LOCK(advisory_lock), NULL)=lock_connection, 0) FROM {}\
             {which} ORDER BY started DESC, run_id DESC{most}",
            columns.join(", "),
            qualified(history, TABLE),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::history::{Figures, Kind};

    fn run() -> Run {
        Run {
            id: "0123456789abcdef".into(),
            kind: Kind::Migrate,
            schema: "sh`op".into(),
            table: "o'r\\ders".into(),
            alter: "ADD n VARCHAR(9) DEFAULT 'x'".into(),
            age_ms: 250,
            lock: ("gh-ost::l".into(), 7),
            os_user: "ann".into(),
            host: "h".into(),
            pid: 1,
            version: "0".into(),
        }
    }

    #[test]
    fn what_began_first_stays_and_what_ended_last_counts() {
        let begun = record("h", &run(), None);
        assert!(
            begun
                .text
                .ends_with("ON DUPLICATE KEY UPDATE run_id=run_id")
        );
        assert!(
            begun
                .text
                .contains("'o''r\\\\ders', 'ADD n VARCHAR(9) DEFAULT ''x'''")
        );
        let ending = Ending {
            result: "failed",
            exit_code: 5,
            reason: "it's over".into(),
            figures: Figures::default(),
        };
        let ended = record("h", &run(), Some(&ending)).text;
        let (insert, update) = ended.split_once(" ON DUPLICATE KEY UPDATE ").expect("both");
        assert!(insert.contains("started") && !update.contains("started"));
        assert!(update.starts_with(
            "ended=UTC_TIMESTAMP(6), result='failed', exit_code=5, reason='it''s over'"
        ));
    }

    #[test]
    fn a_run_never_marks_itself_nor_those_of_other_tables_and_servers() {
        let text = mark_interrupted("h", &run()).text;
        for condition in [
            "table_schema='sh`op'",
            "table_name='o''r\\\\ders'",
            "result='running'",
            "server_uuid=@@server_uuid",
            "run_id<>'0123456789abcdef'",
        ] {
            assert!(text.contains(condition), "{condition}");
        }
    }

    #[test]
    fn every_listed_column_is_made_but_the_one_that_is_computed() {
        let made = create("h").text;
        for (column, _) in COLUMNS.iter().filter(|(column, _)| *column != "took_ms") {
            assert!(
                made.contains(&format!("({column} ")) || made.contains(&format!(", {column} "))
            );
        }
        let all = list("h", "", "", 0).text;
        assert!(!all.contains(" WHERE ") && !all.contains(" LIMIT "));
        let some = list("h", "s", "t", 5).text;
        assert!(some.contains(" WHERE table_schema='s' AND table_name='t' ORDER BY"));
        assert!(some.ends_with(" LIMIT 5"));
    }
}
