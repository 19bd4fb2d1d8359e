//! A commit is delivered in the binary log before the engine makes it visible; semi-synchronous
//! replication without a replica stretches that moment for as long as a test needs it. Inserts, updates,
//! deletes and key changes in that moment, with the copy before, at and behind their rows.

#[cfg(test)]
mod support;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{PATIENCE, Running, assert_done, assert_same, content, execute, schema};
use support::server::Server;
use support::wait_until;

/// From now on a commit waits for an acknowledgement that doesn't come.
async fn stall(conn: &mut Conn) {
    execute(
        conn,
        &[
            "SET GLOBAL rpl_semi_sync_source_timeout = 600000",
            "SET GLOBAL rpl_semi_sync_source_enabled = ON",
        ],
    )
    .await;
}

/// Waits until so many commits are logged, or queue behind one that is.
async fn stalled(conn: &mut Conn, least: u64) {
    wait_until(PATIENCE, "commits wait", async || {
        let waiting: Option<u64> = conn
            .query_first(
                "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_STATE LIKE \
                 'Waiting for semi-sync ACK%' OR PROCESSLIST_STATE LIKE 'waiting for handler commit%'",
            )
            .await
            .expect("sessions");
        waiting >= Some(least)
    })
    .await;
}

/// Waits until the tool has tried to refresh the changed rows, or is at it.
async fn refresh_tried(conn: &mut Conn, schema: &str) {
    wait_until(PATIENCE, "a refresh has been tried", async || {
        let tried: Option<u64> = conn
            .query_first(format!(
                "SELECT (SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_INFO LIKE \
                 'REPLACE /* tableshift */ INTO `{schema}`%') + (SELECT \
                 CAST(COALESCE(SUM(COUNT_STAR), 0) AS UNSIGNED) FROM \
                 performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT LIKE \
                 'REPLACE INTO `{schema}` . `_t_gho`%')"
            ))
            .await
            .expect("statements");
        tried >= Some(1)
    })
    .await;
}

/// Four writers, each with one change of a row near `id`, none of whose commits gets through.
fn write_near(
    server: &'static Server,
    schema: &'static str,
    id: i32,
) -> Vec<tokio::task::JoinHandle<()>> {
    let new = id + 100_000;
    let changes = [
        format!("INSERT INTO t VALUES ({new}, 1)"),
        format!("UPDATE t SET v = -5 WHERE id = {id}"),
        format!("DELETE FROM t WHERE id = {}", id + 1),
        format!("UPDATE t SET id = {} WHERE id = {}", new + 1, id + 2),
    ];
    changes
        .into_iter()
        .map(|change| {
            tokio::spawn(async move {
                let mut conn = server.conn(Some(schema)).await;
                execute(&mut conn, &[&change]).await;
            })
        })
        .collect()
}

fn server() -> &'static Server {
    static SERVER: std::sync::OnceLock<Server> = std::sync::OnceLock::new();
    SERVER.get_or_init(|| Server::start(&["--plugin-load-add=semisync_source.so"]))
}

/// One after the other: the stall is the whole server's.
#[tokio::test(flavor = "multi_thread")]
async fn changes_delivered_before_they_are_visible_are_never_lost() {
    let server = server();
    let flag = std::env::temp_dir().join(format!("tableshift-{}.stall", std::process::id()));
    let throttle = flag.to_string_lossy().into_owned();
    // The first chunks are read while the commits wait: one of them has the rows in it. The others come
    // when everything is visible at last, and find the keys dirty already.
    for (name, id) in [("within", 20), ("ahead", 450)] {
        let mut conn = schema(server, name, 500).await;
        std::fs::write(&flag, "").expect("the throttle file");
        let flags = ["--chunk-size=100", "--throttle-flag-file", &throttle];
        let running = Running::start(server, name, &flags);
        running.under_way().await;
        stall(&mut conn).await;
        let writers = write_near(server, name, id);
        stalled(&mut conn, 4).await;
        std::fs::remove_file(&flag).expect("the throttle file");
        // The writers, the clerk, and a chunk that has been copied and isn't committed.
        stalled(&mut conn, 6).await;
        refresh_tried(&mut conn, name).await;
        end_stall(&mut conn, writers).await;
        finish(&mut conn, running).await;
    }
    let mut conn = schema(server, "past", 500).await;
    let running = Running::start(server, "past", &["--chunk-size=100"]);
    running.copied(&mut conn, 500).await;
    stall(&mut conn).await;
    let writers = write_near(server, "past", 20);
    stalled(&mut conn, 4).await;
    // A refresh that reads what is visible, and not under a lock, would take the keys for clean.
    refresh_tried(&mut conn, "past").await;
    running.release();
    end_stall(&mut conn, writers).await;
    finish_released(&mut conn, running).await;
}

async fn end_stall(conn: &mut Conn, writers: Vec<tokio::task::JoinHandle<()>>) {
    execute(conn, &["SET GLOBAL rpl_semi_sync_source_enabled = OFF"]).await;
    for writer in writers {
        writer.await.expect("a writer");
    }
}

async fn finish(conn: &mut Conn, running: Running) {
    running.release();
    finish_released(conn, running).await;
}

async fn finish_released(conn: &mut Conn, running: Running) {
    let before = content(conn, "id, v").await;
    assert_done(&running.end());
    assert_same(&content(conn, "id, v").await, &before);
    assert_eq!(before.len(), 500);
}
