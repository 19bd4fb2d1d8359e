//! `tableshift verify`: what differs between two tables is seen, named, and nothing else is.

#[cfg(test)]
mod support;

use std::process::{Command, Output};
use std::sync::OnceLock;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{assert_code, execute};
use support::server::{PASSWORD, Server, USER};

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

fn verify(server: &Server, schema: &str, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .args(["verify", "--host", &server.host])
        .args(["--port", &server.port.to_string()])
        .args(["--user", USER, "--password", PASSWORD])
        .args(["--database", schema, "--table", "a", "--with", "b"])
        .args(flags);
    command.output().expect("the program")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A schema of its own; the session writes what it is told to.
async fn schema(name: &str) -> Conn {
    let mut conn = shared().conn(None).await;
    execute(
        &mut conn,
        &[
            &format!("CREATE DATABASE {name}"),
            &format!("USE {name}"),
            "SET SESSION sql_mode='ALLOW_INVALID_DATES'",
            "SET NAMES utf8mb4",
        ],
    )
    .await;
    conn
}

/// It ends with this code and says these things.
fn ends(output: &Output, code: i32, words: &[&str]) {
    let text = said(output);
    assert_code(output, code, &[]);
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
}

/// Columns, rows of both tables, and what is said of the rows that differ.
type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

/// Errors that checksums are known to miss: each is seen, by the sum of a chunk as well as by the rows,
/// and the right columns are named.
const WRONGS: [Case<'_>; 24] = [
    // A CRC under XOR cancels two equal errors.
    (
        "v VARCHAR(9)",
        "(1,'x'),(2,'x'),(3,'z')",
        "(1,'y'),(2,'y'),(3,'z')",
        &["id=1 (differs in `v`)", "id=2 (differs in `v`)", "2 rows"],
    ),
    // A sum doesn't see who has which value.
    (
        "v INT",
        "(1,10),(2,20)",
        "(1,20),(2,10)",
        &["id=1 (differs in `v`)", "id=2 (differs in `v`)"],
    ),
    (
        "v INT, w INT",
        "(1,10,20),(2,20,10)",
        "(1,20,10),(2,10,20)",
        &["id=1 (differs in `v`, `w`)", "id=2 (differs in `v`, `w`)"],
    ),
    (
        "at DATETIME(6)",
        "(1,'2026-01-02 03:04:05.678901')",
        "(1,'2026-01-02 03:04:05.000000')",
        &["id=1 (differs in `at`)"],
    ),
    (
        "at TIMESTAMP(3) NULL",
        "(1,'2026-01-02 03:04:05.001')",
        "(1,'2026-01-02 03:04:05')",
        &["id=1 (differs in `at`)"],
    ),
    (
        "at TIME(2)",
        "(1,'-00:00:00.01')",
        "(1,'00:00:00.01')",
        &["id=1 (differs in `at`)"],
    ),
    (
        "v VARCHAR(9) NOT NULL, w VARCHAR(9) NOT NULL",
        "(1,'ab','c')",
        "(1,'a','bc')",
        &["id=1 (differs in `v`, `w`)"],
    ),
    // The separator and the lengths in the values themselves.
    (
        "v VARCHAR(9) NOT NULL, w VARCHAR(9) NOT NULL",
        "(1,'a,1,b','c')",
        "(1,'a','b,1,c')",
        &["id=1 (differs in `v`, `w`)"],
    ),
    (
        "v VARCHAR(9)",
        "(1,NULL)",
        "(1,'')",
        &["id=1 (differs in `v`)"],
    ),
    (
        "v VARCHAR(9)",
        "(1,NULL)",
        "(1,'~')",
        &["id=1 (differs in `v`)"],
    ),
    (
        "v VARCHAR(9), w VARCHAR(9)",
        "(1,NULL,'x')",
        "(1,'x',NULL)",
        &["id=1 (differs in `v`, `w`)"],
    ),
    ("v INT", "(1,NULL)", "(1,0)", &["id=1 (differs in `v`)"]),
    (
        "v VARCHAR(9)",
        "(1,'a ')",
        "(1,'a')",
        &["id=1 (differs in `v`)"],
    ),
    (
        "v VARCHAR(9)",
        "(1,'a')",
        "(1,'A')",
        &["id=1 (differs in `v`)"],
    ),
    (
        "v VARCHAR(9) COLLATE utf8mb4_0900_ai_ci",
        "(1,'\u{e9}')",
        "(1,'e\u{301}')",
        &["id=1 (differs in `v`)"],
    ),
    (
        "v VARBINARY(9)",
        "(1,x'00')",
        "(1,x'0000')",
        &["id=1 (differs in `v`)"],
    ),
    ("v JSON", "(1,'1')", "(1,'1.0')", &["id=1 (differs in `v`)"]),
    (
        "v JSON",
        "(1,'\"1\"'),(2,JSON_ARRAY(CAST(1.0 AS DECIMAL(2,1))))",
        "(1,'1'),(2,JSON_ARRAY(1e0))",
        &["id=1 (differs in `v`)", "id=2 (differs in `v`)"],
    ),
    (
        "v JSON NOT NULL",
        "(1,JSON_OBJECT('a',CAST('2026-01-02' AS DATE))),(2,CAST(CAST(1 AS UNSIGNED) AS JSON))",
        "(1,'{\"a\":\"2026-01-02\"}'),(2,'1')",
        &["id=1 (differs in `v`)", "id=2 (differs in `v`)"],
    ),
    // Beside texts in other character sets.
    (
        "v JSON, w VARCHAR(9) CHARACTER SET latin1",
        "(1,'[1]','\u{e9}'),(2,'[1]','\u{e9}')",
        "(1,'[1.0]','\u{e9}'),(2,'[1]','e')",
        &["id=1 (differs in `v`)", "id=2 (differs in `w`)"],
    ),
    (
        "v JSON, w VARCHAR(9) CHARACTER SET utf16, x VARCHAR(9) CHARACTER SET gbk",
        "(1,'true','a','b'),(2,NULL,'a',NULL)",
        "(1,'\"true\"','a','b'),(2,'null','a','')",
        &["id=1 (differs in `v`)", "id=2 (differs in `v`, `x`)"],
    ),
    (
        "v FLOAT, w DOUBLE",
        "(1,0.1,0.1),(2,0,-0e0)",
        "(1,0.10000001,0.1),(2,0,0)",
        &["id=1 (differs in `v`)", "id=2 (differs in `w`)"],
    ),
    (
        "v ENUM('','a'), w SET('a','b'), x BIT(9)",
        "(1,1,'a',b'1'),(2,0,'a,b',b'100000000')",
        "(1,2,'b',b'1'),(2,1,'a,b',b'0')",
        &["id=1 (differs in `v`, `w`)", "id=2 (differs in `v`, `x`)"],
    ),
    (
        "v DECIMAL(30,10)",
        "(1,12345678901234567890.0000000001)",
        "(1,12345678901234567890.0000000002)",
        &["id=1 (differs in `v`)"],
    ),
];

/// Each case has a schema of its own, and all are compared at the same time: most of it is waiting.
#[tokio::test(flavor = "multi_thread")]
async fn errors_that_weak_sums_miss_are_seen_and_the_columns_named() {
    let mut running = Vec::new();
    for (number, (columns, one, other, expected)) in WRONGS.iter().enumerate() {
        let name = format!("pair_wrong_{number}");
        let mut conn = schema(&name).await;
        execute(
            &mut conn,
            &[
                &format!("CREATE TABLE a (id INT PRIMARY KEY, {columns})"),
                "CREATE TABLE b LIKE a",
                &format!("INSERT INTO a VALUES {one}"),
                &format!("INSERT INTO b VALUES {other}"),
            ],
        )
        .await;
        let pairs = name.clone();
        let verified = tokio::task::spawn_blocking(move || verify(shared(), &pairs, &[]));
        running.push((name, conn, expected, verified));
    }
    for (name, mut conn, expected, verified) in running {
        ends(&verified.await.expect("the program"), 9, expected);
        execute(
            &mut conn,
            &["DELETE FROM b", "INSERT INTO b SELECT * FROM a"],
        )
        .await;
        ends(&verify(shared(), &name, &[]), 0, &["alike: "]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_extra_rows_are_listed_and_the_list_is_bounded() {
    let mut conn = schema("pair_rows").await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE a (k VARCHAR(20) PRIMARY KEY, v INT)",
            "CREATE TABLE b LIKE a",
            "INSERT INTO a VALUES ('both',1),('mine',2)",
            "INSERT INTO b VALUES ('both',1),('yours',3),('yours too',4)",
        ],
    )
    .await;
    let output = verify(shared(), "pair_rows", &[]);
    ends(
        &output,
        9,
        &[
            "k='mine' (missing in `pair_rows`.`b`)",
            "k='yours' (a row of `pair_rows`.`b` that `pair_rows`.`a` lacks)",
            "different: 3 rows of 2",
        ],
    );
    let bounded = said(&verify(shared(), "pair_rows", &["--keys-max=1"]));
    assert_eq!(bounded.matches("k='").count(), 1, "{bounded}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_as_deep_as_may_be_or_partly_updated_is_alike() {
    let mut conn = schema("pair_json").await;
    let object = format!("{}1{}", "{\"a\":".repeat(99), "}".repeat(99));
    let array = format!("{}1{}", "[".repeat(99), "]".repeat(99));
    execute(
        &mut conn,
        &[
            "CREATE TABLE a (id INT PRIMARY KEY, v JSON)",
            "CREATE TABLE b LIKE a",
            &format!("INSERT INTO a VALUES (1,'{object}'),(2,'{array}'),(3,NULL)"),
            "INSERT INTO a VALUES (4,JSON_OBJECT('a',REPEAT('x',100),'b',1))",
            "INSERT INTO b SELECT id, IF(id=4,JSON_OBJECT('a','y','b',1),v) FROM a",
            "UPDATE a SET v=JSON_SET(v,'$.a','y') WHERE id=4",
        ],
    )
    .await;
    ends(&verify(shared(), "pair_json", &[]), 0, &["alike: 4 rows"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn converted_columns_are_compared_as_the_second_table_holds_them() {
    let mut conn = schema("pair_converted").await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE a (id INT PRIMARY KEY, at DATETIME(6), n INT, gone INT, t CHAR(5))",
            "CREATE TABLE b (id BIGINT PRIMARY KEY, at DATETIME, n VARCHAR(20), more INT, t VARCHAR(9))",
            "INSERT INTO a VALUES (1,'2026-01-02 03:04:05.6',7,1,'x'),(2,NULL,NULL,1,'y')",
            "INSERT INTO b (id,at,n,t) SELECT id,at,n,t FROM a",
        ],
    )
    .await;
    let alike = [
        "only in `pair_converted`.`a`, not compared: gone",
        "only in `pair_converted`.`b`, not compared: more",
        "alike: 2 rows",
    ];
    ends(&verify(shared(), "pair_converted", &[]), 0, &alike);
    execute(
        &mut conn,
        &["UPDATE b SET at='2026-01-02 03:04:05' WHERE id=1"],
    )
    .await;
    let output = verify(shared(), "pair_converted", &[]);
    ends(&output, 9, &["id=1 (differs in `at`)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_told_is_not_called_alike() {
    let mut conn = schema("pair_untold").await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE a (id INT PRIMARY KEY, v DOUBLE)",
            "CREATE TABLE b (id INT PRIMARY KEY, v DECIMAL(9,2))",
            "INSERT INTO a VALUES (1,1.5)",
            "INSERT INTO b VALUES (1,1.5)",
        ],
    )
    .await;
    let output = verify(shared(), "pair_untold", &[]);
    ends(
        &output,
        10,
        &["only NULL is compared", "v (double", "not told: "],
    );
    execute(&mut conn, &["UPDATE b SET v=NULL"]).await;
    let output = verify(shared(), "pair_untold", &[]);
    ends(&output, 9, &["id=1 (differs in `v`)"]);
    for (statement, words) in [
        ("ALTER TABLE b DROP PRIMARY KEY", "no unique key can pair"),
        ("DROP TABLE b", "no such two tables"),
    ] {
        execute(&mut conn, &[statement]).await;
        let output = verify(shared(), "pair_untold", &[]);
        ends(&output, 10, &[words, "\n  data:  ", "\n  next:  "]);
    }
    let output = verify(shared(), "pair_untold", &["--port=1"]);
    ends(&output, 10, &["\n  data:  nothing is known"]);
}

/// The catalogue hides columns from an account without a privilege for them; SHOW CREATE TABLE is refused
/// then, so that nothing is called alike that isn't seen.
#[tokio::test(flavor = "multi_thread")]
async fn columns_that_the_account_does_not_see_are_not_left_out_in_silence() {
    let mut conn = schema("pair_hidden").await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE a (id INT PRIMARY KEY, v INT)",
            "CREATE TABLE b LIKE a",
            "INSERT INTO a VALUES (1,1)",
            "INSERT INTO b VALUES (1,2)",
            "CREATE USER half IDENTIFIED BY 'half'",
            "GRANT SELECT (id) ON pair_hidden.a TO half",
            "GRANT SELECT (id) ON pair_hidden.b TO half",
        ],
    )
    .await;
    let flags = ["--user=half", "--password=half"];
    let output = verify(shared(), "pair_hidden", &flags);
    ends(&output, 10, &["denied", "may SELECT from both tables"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_only_one_table_calls_equal_are_no_pair() {
    let mut conn = schema("pair_spellings").await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE a (k VARCHAR(9) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT)",
            "CREATE TABLE b (k VARCHAR(9) COLLATE utf8mb4_bin PRIMARY KEY, v INT)",
            "INSERT INTO a VALUES ('x',1),('y',2)",
            "INSERT INTO b VALUES ('x',1),('X',1),('y',2)",
        ],
    )
    .await;
    let output = verify(shared(), "pair_spellings", &[]);
    ends(&output, 9, &["k='X' (", "lacks)", "different: 1 rows of 2"]);
}

/// The two tables are written to in one transaction each time, so that they are always alike, and rows
/// are hot.
#[tokio::test(flavor = "multi_thread")]
async fn tables_in_use_are_alike_if_each_row_was() {
    let mut conn = schema("pair_hot").await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE a (id INT PRIMARY KEY, v INT)",
            "CREATE TABLE b LIKE a",
            "INSERT INTO a WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<900) \
             SELECT i, 0 FROM n",
            "INSERT INTO b SELECT * FROM a",
        ],
    )
    .await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (told, mut writer) = (stop.clone(), shared().conn(Some("pair_hot")).await);
    let writing = tokio::spawn(async move {
        let mut number = 0_u32;
        while !told.load(std::sync::atomic::Ordering::SeqCst) {
            number += 1;
            for statement in [
                "START TRANSACTION".to_owned(),
                format!("UPDATE a SET v=v+1 WHERE id={}", number % 5),
                format!("UPDATE b SET v=v+1 WHERE id={}", number % 5),
                "COMMIT".to_owned(),
            ] {
                writer.query_drop(statement).await.expect("a write");
            }
        }
        number
    });
    let output = tokio::task::spawn_blocking(|| verify(shared(), "pair_hot", &[]))
        .await
        .expect("the program");
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(writing.await.expect("the writer") > 0);
    ends(&output, 0, &["alike: 900 rows"]);
}
