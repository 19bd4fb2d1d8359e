//! What is asked about the application's statements and their plans.

use super::{Statement, qualified, quoted, text_literal};
use crate::limits;
use crate::plan::names::Names;

/// How statements are observed: room for digests, consumers that are on, instruments that are off, characters of a
/// sample.
#[must_use]
pub fn observation() -> Statement {
    Statement::new(
        "look how statements are observed",
        "SELECT /* tableshift */ @@performance_schema_digests_size, \
         (SELECT COUNT(*) FROM performance_schema.setup_consumers WHERE ENABLED='YES' AND NAME IN \
         ('global_instrumentation', 'thread_instrumentation', 'statements_digest')), \
         (SELECT COUNT(*) FROM performance_schema.setup_instruments WHERE ENABLED='NO' AND NAME IN \
         ('statement/sql/select', 'statement/sql/update', 'statement/sql/update_multi', 'statement/sql/delete', \
         'statement/sql/delete_multi', 'statement/sql/insert_select', 'statement/sql/replace_select', 'statement/com/Execute')), \
         @@performance_schema_max_sql_text_length"
            .into(),
    )
}

/// Digests of the last day that may concern the table, the most expensive first, and one more than are compared:
/// digest's text, sample, schema, executions, how many there are, and digest. Neither ours nor gh-ost's.
#[must_use]
pub fn observed(names: &Names) -> Statement {
    let holds = |text: &str, column: &str| {
        let text = text_literal(&text.to_lowercase());
        format!("LOCATE({text}, LOWER({column}) COLLATE utf8mb4_bin)")
    };
    let (digest, sample) = ("DIGEST_TEXT", "QUERY_SAMPLE_TEXT");
    // The server says nowhere that a digest's text is cut off; it keeps so many bytes of tokens, which become at least
    // half as many of text.
    let long = format!(
        "LENGTH({digest}) > LEAST(@@max_digest_length, @@performance_schema_max_digest_length) / 2"
    );
    // Both texts end within the columns that it reads: which tables those are of, nobody knows.
    let no_table = format!(
        "LOCATE(' FROM ', {digest})=0 AND {digest} REGEXP '^(EXECUTE )?[( ]*(SELECT|WITH) '"
    );
    let ours = [&names.ghost, &names.changelog, &names.checkpoint].map(|table| {
        let table = quoted(table);
        format!("NOT {}", holds(&table, digest))
    });
    Statement::new(
        "look for the application's statements",
        format!(
            "SELECT /* tableshift */ {digest}, {sample}, SCHEMA_NAME, COUNT_STAR, COUNT(*) OVER (), DIGEST FROM \
             performance_schema.events_statements_summary_by_digest WHERE LAST_SEEN > NOW(6) - INTERVAL {} SECOND AND \
             ({digest} REGEXP '^(EXECUTE )?[( ]*(SELECT|WITH|UPDATE|DELETE) ' OR {digest} REGEXP \
             '^(EXECUTE )?(INSERT|REPLACE) .*SELECT ') AND ({} OR {long} AND \
             COALESCE({} OR {sample} LIKE '%...' AND {no_table}, {no_table})) AND {} AND NOT COALESCE({} OR {}, 0) \
             ORDER BY SUM_TIMER_WAIT DESC LIMIT {}",
            limits::PLANS_SEEN_WITHIN.as_secs(),
            holds(&quoted(&names.original), digest),
            holds(&names.original, sample),
            ours.join(" AND "),
            holds("/* tableshift", sample),
            holds("/* gh-ost", sample),
            limits::PLANS_MAX,
        ),
    )
}

/// Statements for whose digests there was no room, lately.
#[must_use]
pub fn unobserved() -> Statement {
    Statement::new(
        "look for statements without a digest",
        format!(
            "SELECT /* tableshift */ COUNT(*) FROM performance_schema.events_statements_summary_by_digest WHERE DIGEST \
             IS NULL AND LAST_SEEN > NOW(6) - INTERVAL {} SECOND",
            limits::PLANS_SEEN_WITHIN.as_secs()
        ),
    )
}

/// Names of views that aren't the server's own.
#[must_use]
pub fn views() -> Statement {
    Statement::new(
        "look for views",
        "SELECT /* tableshift */ DISTINCT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN \
         ('information_schema', 'sys')"
            .into(),
    )
}

/// Fresh statistics of the ghost, on this server alone: replicas get theirs before the swap.
#[must_use]
pub fn analyze(names: &Names) -> Statement {
    let ghost = qualified(&names.schema, &names.ghost);
    Statement::new(
        "analyze the ghost for its plans",
        format!("ANALYZE /* tableshift */ NO_WRITE_TO_BINLOG TABLE {ghost}"),
    )
}

/// Rows that the statistics of both tables count: table, rows.
#[must_use]
pub fn sizes(names: &Names) -> Statement {
    Statement::new(
        "read both tables' sizes",
        format!(
            "SELECT /* tableshift */ TABLE_NAME={}, TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA={} AND \
             TABLE_NAME IN ({}, {})",
            text_literal(&names.ghost),
            text_literal(&names.schema),
            text_literal(&names.original),
            text_literal(&names.ghost),
        ),
    )
}

/// The session plans as one of the application does that changes no setting.
#[must_use]
pub fn prepare(sql_mode: &str) -> Statement {
    Statement::new(
        "prepare to explain",
        format!(
            "SET SESSION sql_mode={}, range_optimizer_max_mem_size=DEFAULT, sql_big_selects=DEFAULT, \
             innodb_lock_wait_timeout=1, max_execution_time={}, NAMES utf8mb4",
            text_literal(sql_mode),
            limits::PLAN_EXECUTION.as_millis()
        ),
    )
}

/// The form of plans that is understood; a variable of 8.3.
#[must_use]
pub fn plain_format() -> Statement {
    let text = "SET SESSION explain_json_format_version=1";
    Statement::new("prepare to explain", text.into())
}

/// The schema in which a statement's unqualified names are looked for.
#[must_use]
pub fn enter(schema: &str) -> Statement {
    Statement::new("enter a schema", format!("USE {}", quoted(schema)))
}

/// Begins a transaction in which nothing is written; only statements that read are explained in one that the server
/// keeps from writing, it takes no others there.
#[must_use]
pub fn begin(writes: bool) -> Statement {
    let text = if writes {
        "START TRANSACTION"
    } else {
        "START TRANSACTION READ ONLY"
    };
    Statement::new("begin to explain", text.into())
}

/// Hands the application's text over as a value: as SQL of ours it could end before it seems to, and go on as
/// something else.
#[must_use]
pub fn hand_over(statement: &str) -> Statement {
    let text: String = format!("EXPLAIN FORMAT=JSON {statement}")
        .bytes()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    Statement::new(
        "hand a statement over",
        format!("SET /* tableshift */ @tableshift=CONVERT(0x{text} USING utf8mb4)"),
    )
}

/// Reads it; the server takes a single statement here.
#[must_use]
pub fn prepare_explain() -> Statement {
    let text = "PREPARE tableshift FROM @tableshift";
    Statement::new("prepare an explanation", text.into())
}

/// Asks for its plan.
#[must_use]
pub fn explain() -> Statement {
    Statement::new("explain a statement", "EXECUTE tableshift".into())
}

/// Lets go of what explaining has locked.
#[must_use]
pub fn end() -> Statement {
    Statement::new("end an explanation", "ROLLBACK".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_the_application_is_sql_of_ours() {
        let text = "SELECT '\\'' /*!99999 \" */; DROP TABLE victim; -- é";
        let sent = hand_over(text).text;
        let begin = "SET /* tableshift */ @tableshift=CONVERT(0x4558504C41494E20";
        assert!(sent.starts_with(begin), "{sent}");
        let hex = sent
            .split_once("(0x")
            .and_then(|(_, rest)| rest.split_once(" USING utf8mb4)"));
        let (hex, behind) = hex.expect("a literal");
        assert!(hex.chars().all(|digit| digit.is_ascii_hexdigit()), "{hex}");
        assert_eq!(
            (hex.len(), behind),
            (2 * ("EXPLAIN FORMAT=JSON ".len() + text.len()), "")
        );
    }
}
