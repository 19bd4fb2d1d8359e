//! `--allow-nullable-unique-key`: a NULL that has no event after the position, and that no look before the
//! start barrier can see.

#[cfg(test)]
mod support;

use support::running::{Running, assert_code, execute};
use support::server::Server;

use mysql_async::prelude::Queryable;

#[tokio::test(flavor = "multi_thread")]
async fn a_null_in_the_key_that_was_logged_before_the_start_and_is_decided_later_ends_the_run() {
    let server = Server::start(&[]);
    let mut conn = server.conn(None).await;
    execute(
        &mut conn,
        &[
            "CREATE DATABASE nulls",
            "USE nulls",
            "CREATE TABLE t (a INT, v INT NOT NULL, UNIQUE KEY by_a (a))",
            "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \
             500) SELECT i, i FROM n",
        ],
    )
    .await;
    let mut other = server.conn(Some("nulls")).await;
    // Its rows are in the binary log from here on, and in no table until it is committed.
    execute(
        &mut other,
        &[
            "XA START 'null_key'",
            "INSERT INTO t VALUES (NULL, 1)",
            "XA END 'null_key'",
            "XA PREPARE 'null_key'",
        ],
    )
    .await;

    let flags = ["--allow-nullable-unique-key", "--chunk-size=50"];
    let running = Running::start(&server, "nulls", &flags);
    running.under_way().await;
    execute(&mut other, &["XA COMMIT 'null_key'"]).await;
    running.release();
    let output = running.end();
    assert_code(&output, 5, &["unique key `by_a`", "NULL in `a`"]);
    let rows: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM t")
        .await
        .expect("the table");
    assert_eq!(rows, Some(501));
}
