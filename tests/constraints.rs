//! Names of CHECK constraints over several migrations of one table.

#[cfg(test)]
mod support;

use std::process::Output;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::server::Server;
use support::tableshift_command;

const ALTER: &str = "ADD COLUMN note INT CHECK (note > 0)";

fn migrate(server: &Server, alter: &str, flags: &[&str]) -> Output {
    let mut command = tableshift_command(server, "shop", "t", alter);
    command.args(flags).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn names(conn: &mut Conn, table: &str) -> Vec<String> {
    let query = "SELECT constraint_name FROM information_schema.table_constraints WHERE \
                 constraint_type = 'CHECK' AND table_schema = 'shop' AND table_name = ? ORDER BY 1";
    conn.exec(query, (table,)).await.expect("names")
}

#[tokio::test]
async fn a_changed_name_is_told_beforehand_and_comes_back_with_the_next_migration() {
    let server = Server::start(&[]);
    let mut conn = server.conn(None).await;
    for statement in [
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, a INT CHECK (a > 0), b INT, CONSTRAINT positive \
         CHECK (b > 0), CONSTRAINT small CHECK (b < 100))",
        "CREATE TABLE shop.other (a INT, CONSTRAINT _small CHECK (a > 0))",
        "INSERT INTO shop.t VALUES (1, 1, 1), (2, 2, 2)",
    ] {
        conn.query_drop(statement).await.expect(statement);
    }
    let told = "because the old one keeps them: `positive` is called `_positive`, `small` is called \
                `__small`";
    let planned = migrate(&server, ALTER, &[]);
    assert!(planned.status.success() && text(&planned.stderr).contains(told));
    assert!(text(&planned.stdout).contains("CONSTRAINT `_positive`"));
    assert_eq!(
        names(&mut conn, "t").await,
        ["positive", "small", "t_chk_1"]
    );

    let done = migrate(&server, ALTER, &["--execute"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let warnings = text(&done.stderr).matches(told).count();
    assert_eq!(warnings, 1, "{}", text(&done.stderr));
    assert_eq!(
        names(&mut conn, "t").await,
        ["__small", "_positive", "t_chk_1", "t_chk_2"]
    );

    let flags = ["--initially-drop-old-table", "--execute"];
    let again = migrate(&server, "DROP CHECK __small, DROP CHECK t_chk_2", &flags);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert_eq!(names(&mut conn, "t").await, ["positive", "t_chk_1"]);
}
