//! The verification before the cut-over, against ghosts that somebody spoils: rows are changed by a
//! session without `sql_log_bin`, so that the stream doesn't tell of it.

#[cfg(test)]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{ALTER, PATIENCE, execute, schema, tables};
use support::server::Server;
use support::{tableshift_command, wait_until};

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

fn file(schema: &str, what: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tableshift-{}-{schema}.{what}", std::process::id()))
}

/// A run with one worker to compare, whose log can be read while it is under way, held before its first comparison and then before
/// its cut-over.
struct Spoilt {
    child: Child,
    /// There while it waits to compare.
    compares: PathBuf,
    /// Holds the cut-over back.
    postpone: PathBuf,
    log: PathBuf,
}

impl Spoilt {
    fn start(schema: &str, alter: &str, flags: &[&str]) -> Self {
        Self::start_with(schema, alter, flags, "")
    }

    /// With faults beside the holds.
    fn start_with(schema: &str, alter: &str, flags: &[&str], faults: &str) -> Self {
        let (compares, postpone, log) = (
            file(schema, "compares"),
            file(schema, "postpone"),
            file(schema, "log"),
        );
        let written = std::fs::File::create(&log).expect("the log");
        let order = format!("compare chunk@worker:hold={};{faults}", compares.display());
        let child = tableshift_command(shared(), schema, "t", alter)
            .args([
                "--execute",
                "--copy-workers=1",
                "--postpone-cut-over-flag-file",
            ])
            .arg(&postpone)
            .args(flags)
            .env("TABLESHIFT_FAULTS", order)
            .env("TABLESHIFT_COMPARE_AFTER_COPY", "1")
            .stdout(Stdio::null())
            .stderr(written)
            .spawn()
            .expect("the program");
        Self {
            child,
            compares,
            postpone,
            log,
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log")
    }

    /// The copy is complete, and nothing compared yet.
    async fn copied(&self) {
        wait_until(PATIENCE, "it is about to compare", async || {
            self.compares.exists()
        })
        .await;
    }

    fn compare(&self) {
        std::fs::remove_file(&self.compares).expect("the hold");
    }

    async fn says(&self, words: &str) {
        wait_until(PATIENCE, words, async || self.said().contains(words)).await;
    }

    fn cut_over(&self) {
        std::fs::remove_file(&self.postpone).expect("the postpone file");
    }

    /// It ends with this code; what it said.
    fn ends(mut self, code: i32) -> String {
        let ended = self.child.wait().expect("its end");
        let text = self.said();
        for left in [&self.compares, &self.postpone, &self.log] {
            let _ = std::fs::remove_file(left);
        }
        assert_eq!(ended.code(), Some(code), "{text}");
        text
    }
}

/// A session whose changes are in no log.
async fn unlogged(schema: &str) -> Conn {
    let mut conn = shared().conn(Some(schema)).await;
    execute(&mut conn, &["SET SESSION sql_log_bin=0"]).await;
    conn
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
}

/// Wrong, missing and extra.
const SPOIL: [&str; 3] = [
    "UPDATE _t_gho SET v=v+1 WHERE id=7",
    "DELETE FROM _t_gho WHERE id=8",
    "INSERT INTO _t_gho (id, v) VALUES (1001, 1)",
];

/// Both tables of a run that is over hold the same rows.
async fn assert_exact(conn: &mut Conn) {
    let different: Option<u64> = conn
        .query_first(
            "SELECT COUNT(*) FROM (SELECT id, v FROM (SELECT id, v FROM t UNION ALL SELECT id, v FROM \
             _t_del) AS both_tables GROUP BY id, v HAVING COUNT(*) <> 2) AS odd",
        )
        .await
        .expect("both tables");
    assert_eq!(different, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn spoilt_rows_end_the_run_and_are_listed_with_their_columns() {
    let mut conn = schema(shared(), "spoilt", 100).await;
    let run = Spoilt::start("spoilt", ALTER, &[]);
    run.copied().await;
    execute(&mut unlogged("spoilt").await, &SPOIL).await;
    run.compare();
    let text = run.ends(5);
    has(
        &text,
        &[
            "verification found 3 or more rows that differ for certain",
            "id=7 (differs in `v`)",
            "id=8 (missing in the ghost)",
            "id=1001 (a row of the ghost that the table lacks)",
            "is in place, untouched",
        ],
    );
    assert!(!text.contains("INFO  verified"), "{text}");
    assert_eq!(tables(&mut conn).await, ["t"]);
}

/// What is wrong with the rows is looked up afterwards; trouble there takes nothing from the mismatch.
#[tokio::test(flavor = "multi_thread")]
async fn a_mismatch_is_told_whatever_becomes_of_the_look_at_its_columns() {
    let points = [
        "connect",
        "set the session up",
        "ask which server this is",
        "find columns that differ",
        "check rows again",
    ];
    for (number, point) in points.iter().enumerate() {
        for kind in ["error=1213", "lost-after"] {
            let name = format!("looked_{number}_{}", &kind[..4]);
            schema(shared(), &name, 10).await;
            let fault = format!("{point}@differences:{kind}");
            let run = Spoilt::start_with(&name, ALTER, &[], &fault);
            run.copied().await;
            execute(&mut unlogged(&name).await, &SPOIL[..1]).await;
            run.compare();
            let text = run.ends(5);
            has(
                &text,
                &["1 or more rows that differ for certain: id=7", "WARN"],
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spoilt_rows_are_repaired_and_everything_is_compared_again() {
    let mut conn = schema(shared(), "repaired", 100).await;
    let run = Spoilt::start("repaired", ALTER, &["--verify-repair"]);
    run.copied().await;
    execute(&mut unlogged("repaired").await, &SPOIL).await;
    run.compare();
    run.says("will be compared again").await;
    run.says("INFO  verified").await;
    run.cut_over();
    let text = run.ends(0);
    has(
        &text,
        &[
            "rows=3 pass=1 of 3: ",
            "id=7; id=8; id=1001",
            "will be compared again",
        ],
    );
    assert_exact(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_no_refresh_makes_right_end_the_run_in_spite_of_repairs() {
    let mut conn = schema(shared(), "hopeless", 100).await;
    let run = Spoilt::start("hopeless", ALTER, &["--verify-repair"]);
    run.copied().await;
    let spoil = [
        "CREATE TRIGGER spoils BEFORE INSERT ON _t_gho FOR EACH ROW SET NEW.v=-NEW.v",
        SPOIL[0],
    ];
    execute(&mut unlogged("hopeless").await, &spoil).await;
    run.compare();
    let text = run.ends(5);
    has(
        &text,
        &[
            "pass=1 of 3",
            "pass=2 of 3",
            "pass=3 of 3",
            "id=7 (differs in `v`); refreshing rows that differ did not help",
        ],
    );
    assert!(!text.contains("pass=4"), "{text}");
    let found: Option<i32> = conn
        .query_first("SELECT v FROM t WHERE id=7")
        .await
        .expect("the original");
    assert_eq!(found, Some(49));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_change_while_postponed_are_compared_again() {
    let mut conn = schema(shared(), "postponed", 100).await;
    let run = Spoilt::start("postponed", ALTER, &[]);
    run.copied().await;
    run.compare();
    run.says("INFO  verified rows=100").await;
    // From here on each refresh is wrong; what doesn't change stays right.
    let trigger = "CREATE TRIGGER spoils BEFORE INSERT ON _t_gho FOR EACH ROW SET NEW.v=-NEW.v";
    execute(&mut unlogged("postponed").await, &[trigger]).await;
    execute(
        &mut conn,
        &["UPDATE t SET v=5 WHERE id=3", "DELETE FROM t WHERE id=4"],
    )
    .await;
    let text = run.ends(5);
    has(&text, &["1 or more rows", "id=3 (differs in `v`)"]);
    assert!(!text.contains("id=4"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_verification_nothing_is_claimed() {
    schema(shared(), "unchecked", 100).await;
    let run = Spoilt::start("unchecked", ALTER, &["--verify=off"]);
    run.says("--verify=off: the new table is not compared")
        .await;
    wait_until(PATIENCE, "it is postponed", async || run.postpone.exists()).await;
    run.cut_over();
    let text = run.ends(0);
    assert!(!text.contains("verified"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_says_that_it_is_one_and_finds_what_is_in_it() {
    schema(shared(), "sampled", 100).await;
    let flags = ["--verify=sample", "--verify-sample-percent=1"];
    let run = Spoilt::start("sampled", ALTER, &flags);
    run.copied().await;
    run.compare();
    // Of one chunk one is compared.
    run.says("INFO  verified (a sample) rows=100 chunks=1 ")
        .await;
    run.cut_over();
    has(&run.ends(0), &["verifying a sample percent=1 seed="]);

    schema(shared(), "sampled_spoilt", 100).await;
    let flags = [&flags[..], &["--verify-repair"]].concat();
    let run = Spoilt::start("sampled_spoilt", ALTER, &flags);
    run.copied().await;
    execute(&mut unlogged("sampled_spoilt").await, &SPOIL).await;
    run.compare();
    // After a repair it is no sample any more.
    run.says("will be compared again").await;
    run.says("INFO  verified").await;
    run.cut_over();
    has(&run.ends(0), &["rows=3 pass=1 of 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_unique_key_is_verified_whatever_was_asked_for() {
    let flags: [&[&str]; 2] = [&["--verify=off"], &["--verify=sample"]];
    for (number, flags) in flags.iter().enumerate() {
        let name = format!("unique_{number}");
        schema(shared(), &name, 100).await;
        let run = Spoilt::start(&name, "ADD UNIQUE KEY by_v (v)", flags);
        run.copied().await;
        execute(&mut unlogged(&name).await, &SPOIL[1..2]).await;
        run.compare();
        has(
            &run.ends(5),
            &[
                "everything is verified in spite of --verify",
                "id=8 (missing",
            ],
        );
    }
}

/// Numbers by a seed (SplitMix64, public domain).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Rows of the random tests, and how many of them the writers change.
const ROWS: u32 = 20_000;
const HOT: u32 = 40;

/// Spoils rows that nobody changes, in three ways; returns their keys.
async fn spoil_at_random(schema: &str, random: &mut Random) -> BTreeSet<u64> {
    let mut conn = unlogged(schema).await;
    let mut spoilt = BTreeSet::new();
    for _ in 0..10 + random.below(60) {
        let id = u64::from(HOT) + 1 + random.below(u64::from(ROWS - HOT));
        let extra = u64::from(ROWS) + 1 + random.below(100_000);
        let (id, statement) = match random.below(3) {
            0 => (id, format!("UPDATE _t_gho SET v=v+1 WHERE id={id}")),
            1 => (id, format!("DELETE FROM _t_gho WHERE id={id}")),
            _ => (
                extra,
                format!("INSERT INTO _t_gho (id, v) VALUES ({extra}, 0)"),
            ),
        };
        // A row is spoilt once: twice might be right again.
        if spoilt.insert(id) {
            execute(&mut conn, &[&statement]).await;
        }
    }
    spoilt
}

/// Updates the hot rows as fast as it can until it is told to stop; now and then one goes and comes.
async fn writes(schema: &str, stop: Arc<AtomicBool>, number: u32) {
    let mut conn = shared().conn(Some(schema)).await;
    let mut round = number;
    while !stop.load(Ordering::SeqCst) {
        round += 1;
        let id = round % HOT + 1;
        let statement = match round % 17 {
            0 => format!("DELETE FROM t WHERE id={id}"),
            1 => format!("REPLACE INTO t (id, v) VALUES ({id}, {round})"),
            _ => format!("UPDATE t SET v=v+1 WHERE id={id}"),
        };
        match conn.query_drop(&statement).await {
            Ok(()) => {}
            // Two writers may be each other's deadlock.
            Err(mysql_async::Error::Server(error)) if error.code == 1213 => {}
            Err(error) => panic!("{statement}: {error}"),
        }
    }
}

/// Starts writers; they end when the flag is set.
fn load(schema: &'static str) -> (Arc<AtomicBool>, Vec<tokio::task::JoinHandle<()>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks = (0..3).map(|number| tokio::spawn(writes(schema, Arc::clone(&stop), number * 13)));
    (Arc::clone(&stop), tasks.collect())
}

async fn quiet((stop, writers): (Arc<AtomicBool>, Vec<tokio::task::JoinHandle<()>>)) {
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("a writer");
    }
}

fn seed() -> u64 {
    let given = std::env::var("TABLESHIFT_SEED").ok();
    let seed = given.and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("TABLESHIFT_SEED={seed}");
    seed
}

/// The numbers behind this word.
fn numbers(text: &str, word: &str) -> Vec<u64> {
    let behind = text.split(word).skip(1);
    behind
        .filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_spoilt_at_random_under_load_are_all_repaired_and_no_others() {
    let mut random = Random(seed());
    let mut conn = schema(shared(), "random_repaired", ROWS).await;
    let writers = load("random_repaired");
    let run = Spoilt::start("random_repaired", ALTER, &["--verify-repair"]);
    run.copied().await;
    let spoilt = spoil_at_random("random_repaired", &mut random).await;
    run.compare();
    run.says("--verify-repair").await;
    quiet(writers).await;
    run.cut_over();
    let text = run.ends(0);
    let repaired: u64 = numbers(&text, "(--verify-repair): rows=").iter().sum();
    assert_eq!(repaired, spoilt.len() as u64, "{text}");
    assert!(!text.contains("pass=2"), "{text}");
    assert_exact(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rows_spoilt_at_random_under_load_only_such_are_listed() {
    let mut random = Random(seed() + 1);
    schema(shared(), "random_listed", ROWS).await;
    let writers = load("random_listed");
    let run = Spoilt::start("random_listed", ALTER, &[]);
    run.copied().await;
    let spoilt = spoil_at_random("random_listed", &mut random).await;
    run.compare();
    let text = run.ends(5);
    quiet(writers).await;
    let listed = numbers(&text, "id=");
    assert!(!listed.is_empty(), "{text}");
    for id in listed {
        assert!(spoilt.contains(&id), "{id} of {spoilt:?} in {text}");
    }
    assert!(!Path::new(&file("random_listed", "log")).exists());
}
