//! Every fault point (`src/faults.rs`) in every kind: at each one the original is never missing and
//! never damaged, the exit code is the documented one or the run recovers, and the run can be repeated.
//!
//! All runs have the same course. The tool is held four times, and the application writes meanwhile:
//! before the first chunk is copied, where a transaction begins that keeps a row locked; before the
//! first comparison; and when the cut-over begins, where that transaction commits; and before the tables are locked. So rows are passed
//! over, keys stay dirty, suspects remain and dirty keys are refreshed under the lock, every time. Every
//! write goes to `t` and to `twin`; at the end the two must have the same rows.
//!
//! `TABLESHIFT_FAULT_POINT='copy chunk@worker'` runs one point alone.

#![cfg(test)]

#[cfg(test)]
#[path = "support/course.rs"]
mod course;
#[cfg(test)]
mod support;

use std::path::Path;

use course::{Course, End, run};
use tableshift::faults::{POINTS, WHEN_ASKED_FOR};

/// What brings a run to a point that it doesn't pass by itself.
fn way_to(role: &str, name: &str) -> &'static str {
    match (role, name) {
        ("main", "ask which server this is") => "drop a helper table@main:lost-before:1",
        ("worker", "roll back") => "refresh rows@worker:error=1213:1",
        ("worker", "count rows") => "copy chunk@worker:error=1197:1",
        ("locker", "roll back") => "refresh rows@locker:error=1197:1",
        ("control", "read who owns the names") => "rename tables@locker:lost-after:1",
        ("fence", "connect" | "look for an earlier connection") => "copy chunk@worker:lost-after:1",
        _ => "",
    }
}

/// The first chunk is tried twice, because a row of it is held; only the second try has done anything
/// when its answer is lost.
fn nth(name: &str, kind: &str) -> u32 {
    if name == "copy chunk" && kind.ends_with("after") {
        2
    } else {
        1
    }
}

/// All points, or the one asked for.
fn points() -> Vec<(&'static str, &'static str)> {
    let wanted = std::env::var("TABLESHIFT_FAULT_POINT").ok();
    POINTS
        .iter()
        // These courses have one server; what goes wrong on a replica is in tests/replica.rs.
        .filter(|(role, _)| *role != "topology")
        .flat_map(|(role, names)| names.iter().map(|name| (*role, *name)))
        .filter(|(role, name)| {
            wanted
                .as_ref()
                .is_none_or(|wanted| *wanted == format!("{name}@{role}"))
        })
        .collect()
}

/// Points that the runs of these courses don't come by: of a key that may be NULL, which their table
/// doesn't have, and of flags that they don't have (tests/blockers.rs, tests/companions.rs,
/// tests/shortcuts.rs, tests/desired.rs).
const ELSEWHERE: [&str; 11] = [
    "look for NULL in the key",
    "weigh a transaction",
    "end a blocker",
    "read a trigger",
    "create a trigger",
    "drop a trigger",
    "create the wanted table",
    "alter the table instantly",
    "alter the table in place",
    "try what the server can",
    "read the ghost's numbers",
];

/// Runs one kind of fault at all its points, and compares each ending with what is expected.
async fn everywhere(kind: &str, expected: impl Fn(&str, &str) -> &'static [End]) {
    let mut wrong = Vec::new();
    for (number, (role, name)) in points().into_iter().enumerate() {
        let wanted = expected(role, name);
        if wanted.is_empty()
            || ELSEWHERE.contains(&name)
            || matches!(role, "cleanup" | "listing")
            || (role, name) == ("main", "look for blockers")
        {
            continue;
        }
        let schema = format!("{}_{number}", kind.replace(['-', '='], "_"));
        let course = Course {
            schema,
            fault: format!("{name}@{role}:{kind}:{}", nth(name, kind)),
            way: way_to(role, name).into(),
            introduces_key: name == "look for duplicates",
            commits_early: (role, name) == ("worker", "check rows again"),
            reader_in_the_way: name == "limit the wait",
            remnant: name == "end an earlier run's connection",
            // Whether the server has noticed a loss before we look is the server's affair.
            may_be_passed_by: (role, name) == ("fence", "end a connection"),
        };
        let end = run(&course).await;
        println!("{kind} {name}@{role}: {end:?}", end = end.as_ref().ok());
        match end {
            Ok(end) if fits(end, wanted) => {}
            Ok(End::Done) if course.may_be_passed_by => {}
            Ok(end) => wrong.push(format!("{name}@{role}: {kind}: {end:?}, not {wanted:?}")),
            Err(why) => wrong.push(format!("{name}@{role}: {kind}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Whether a run that is given up has a checkpoint by then is chance; with one, the next run goes on.
fn fits(end: End, wanted: &[End]) -> bool {
    wanted.contains(&end) || end == End::Resumable && wanted.contains(&End::Failed)
}

/// Before the copy nothing is tried again: there is nothing to lose yet.
fn prepares(role: &str, name: &str) -> bool {
    let opens = matches!(
        name,
        "connect" | "set the session up" | "ask which server this is"
    );
    match role {
        // After the copy it is used for the clean-up only.
        "main" => !matches!(name, "drop a helper table" | "ask which server this is"),
        "worker" | "keeper" | "clerk" | "control" | "scribe" => opens,
        "barrier" => name != "look for open transactions",
        _ => false,
    }
}

/// Trouble that another try may overcome ends a run only while it is prepared.
fn overcome(role: &str, name: &str) -> &'static [End] {
    match (role, name) {
        // Steps of the engine have no answers.
        ("engine", _) => &[],
        // It is looked for again, and may be gone by then.
        ("main", "end an earlier run's connection") => &[End::Done, End::Failed],
        _ if prepares(role, name) => &[End::Failed],
        _ => &[End::Done],
    }
}

/// An error that would come again ends the run, unless the run can do without the answer.
fn given_up(role: &str, name: &str) -> &'static [End] {
    match (role, name) {
        ("engine", _) => &[],
        ("main", "alter the ghost table") => &[End::Refused],
        ("main", "drop a helper table" | "ask which server this is") => &[End::Leftovers],
        ("keeper", "look at the advisory lock")
        | ("worker", "roll back")
        | ("control", "analyze the ghost table" | "read who owns the names")
        | ("locker", "shut old snapshots out" | "unlock tables")
        | ("fence", "end a connection")
        | ("scribe", "write the checkpoint")
        | ("watchdog" | "stream" | "history", _) => &[End::Done],
        _ => &[End::Failed],
    }
}

fn killed(role: &str, name: &str, after: bool) -> &'static [End] {
    match (role, name) {
        ("locker", "rename tables") if after => &[End::KilledAfterSwap],
        ("locker", "unlock tables")
        | ("main", "drop a helper table" | "ask which server this is")
        | ("control", "read who owns the names")
        | ("history", "record the end of the run")
        | ("engine", "decided") => &[End::KilledAfterSwap],
        // Reached where the server hasn't noticed a loss yet, at the latest in the end.
        ("fence", "end a connection") => &[End::Killed, End::KilledAfterSwap],
        _ => &[End::Killed],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_at_any_statement_is_overcome_or_ends_the_run_cleanly() {
    everywhere("error=1213", overcome).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_wait_at_any_statement_is_overcome_or_ends_the_run_cleanly() {
    everywhere("error=1205", overcome).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definite_error_at_any_statement_ends_the_run_cleanly() {
    everywhere("error=1105", given_up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_any_statement_is_replaced_or_ends_the_run_cleanly() {
    everywhere("lost-before", overcome).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_any_statement_is_overcome_or_ends_the_run_cleanly() {
    everywhere("lost-after", overcome).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_may_be_killed_before_any_statement() {
    everywhere("kill-before", |role, name| killed(role, name, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_may_be_killed_after_any_statement() {
    everywhere("kill-after", |role, name| killed(role, name, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_may_be_held_at_any_statement() {
    everywhere("hold", |_, _| &[End::Done]).await;
}

/// The second pass of a point is another one's first: the other half of a change, another batch, the
/// connection that replaces a lost one.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_pass_of_a_point_fares_no_worse() {
    let mut wrong = Vec::new();
    for (number, (role, name)) in points().into_iter().enumerate() {
        if !matches!(role, "worker" | "control" | "locker" | "clerk") || prepares(role, name) {
            continue;
        }
        for kind in ["lost-after", "kill-after"] {
            let course = Course {
                schema: format!("second_{}_{number}", kind.replace('-', "_")),
                fault: format!("{name}@{role}:{kind}:2"),
                may_be_passed_by: true,
                ..Course::default()
            };
            let wanted = [End::Done, End::Killed, End::KilledAfterSwap];
            match run(&course).await {
                Ok(end) if wanted.contains(&end) => {}
                other => wrong.push(format!("{name}@{role}: {kind}: {other:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Orders that belong together: trouble that comes back, and trouble on the way out of trouble.
const TOGETHER: [(&str, &str, End); 14] = [
    ("copy chunk@worker:error=1213:1+", "", End::Failed),
    ("copy chunk@worker:lost-before:1+", "", End::Failed),
    ("refresh rows@worker:error=1205:1+", "", End::Failed),
    ("refresh rows@worker:error=1197:1+", "", End::Failed),
    ("compare chunk@worker:lost-after:1+", "", End::Failed),
    ("write the changelog@clerk:error=1213:1+", "", End::Failed),
    (
        "look for open transactions@barrier:error=1213:1+",
        "",
        End::Failed,
    ),
    ("take the advisory lock@main:error=1213:1+", "", End::Failed),
    ("drop a helper table@main:error=1205:1+", "", End::Leftovers),
    (
        "drop a helper table@main:lost-after:1",
        "connect@main:error=1040:3",
        End::Done,
    ),
    (
        "connect@worker:error=1040:5",
        "copy chunk@worker:lost-before:1",
        End::Done,
    ),
    (
        "set the session up@worker:lost-after:9",
        "copy chunk@worker:lost-after:2",
        End::Done,
    ),
    (
        "look for an earlier connection@fence:lost-before:1",
        "lock tables@locker:lost-after:1",
        End::Done,
    ),
    ("unlock tables@locker:error=1105:1+", "", End::Done),
];

#[tokio::test(flavor = "multi_thread")]
async fn trouble_that_comes_back_has_its_bound() {
    let mut wrong = Vec::new();
    for (number, (fault, way, wanted)) in TOGETHER.into_iter().enumerate() {
        let course = Course {
            schema: format!("together_{number}"),
            fault: fault.into(),
            way: way.into(),
            ..Course::default()
        };
        match run(&course).await {
            Ok(end) if fits(end, &[wanted]) => {}
            other => wrong.push(format!("{fault} {way}: {other:?}, not {wanted:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Half a minute of looking, and then a person has to look. The table above in docs/recovery.md is
/// followed by the course's second run.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_that_can_t_be_read_leaves_the_outcome_unknown() {
    let course = |kind: &str| Course {
        schema: format!("unknown_{}", kind.replace('-', "_")),
        fault: "read who owns the names@control:error=1105:1+".into(),
        way: format!("rename tables@locker:{kind}:1"),
        ..Course::default()
    };
    let (unsent, unanswered) = (course("lost-before"), course("lost-after"));
    let ends = tokio::join!(run(&unsent), run(&unanswered));
    assert_eq!(ends, (Ok(End::Unknown), Ok(End::Unknown)));
}

/// What runs under a name that isn't listed is a panic of the tool, but only if a test comes by; so the
/// names are looked for in the sources as well.
#[test]
fn the_list_has_every_statement() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text: String = ["sql", "mysql", "engine", "engine/throttle"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(sources.join(folder)).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read_to_string(path).expect("a source"))
        .map(|text| {
            text.split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    let listed: Vec<&str> = POINTS
        .iter()
        .chain(&WHEN_ASKED_FOR)
        .flat_map(|(_, names)| *names)
        .copied()
        .collect();
    let mut found = 0;
    for mark in ["Statement::new(", ".say(", "name: ", "let name = ", "step("] {
        for (position, _) in text.match_indices(mark) {
            let rest = text[position + mark.len()..].trim_start();
            let name = rest
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next());
            let Some(name) = name else { continue };
            // Other things have names as well, of one word.
            if mark.starts_with("name") && !name.contains(' ') {
                continue;
            }
            found += 1;
            assert!(
                listed.contains(&name),
                "{name:?} is not among the fault points"
            );
        }
    }
    assert!(
        found >= 60,
        "only {found} names found: the sources look otherwise now"
    );
}

/// Connections that are there only when flags ask for them (one that rows that differ bring about has its
/// test in `tests/verification.rs`): none of them is needed for the table, so
/// trouble there never costs more than a pause.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_only_look_can_be_lost_at_any_moment() {
    use support::running::{ALTER, assert_done, schema};
    use support::{server::Server, tableshift_command};

    let server = Server::start(&[]);
    let replica = format!(
        "--throttle-control-replicas={}:{}",
        server.host, server.port
    );
    let hits = std::env::temp_dir().join(format!("tableshift-{}.asked.hits", std::process::id()));
    // Those of commands of their own are lost in tests/plan.rs and tests/batch.rs, the comparer's in
    // tests/compare_plans.rs, which needs statements to compare.
    // What is asked before an earlier run goes on is lost in tests/resume.rs.
    let elsewhere = [
        "surroundings",
        "sampler",
        "batch",
        "batch server",
        "comparer",
        "topology",
    ];
    let looking = WHEN_ASKED_FOR.iter().filter(|(role, _)| {
        !matches!(
            *role,
            "main" | "worker" | "locker" | "barrier" | "differences"
        ) && !elsewhere.contains(role)
    });
    let points = looking.flat_map(|(role, names)| names.iter().map(move |name| (role, name)));
    for (number, (role, name)) in points.enumerate() {
        for kind in ["error=1213", "lost-after"] {
            let name_of_schema = format!("asked_{number}_{}", kind.replace(['-', '='], "_"));
            let mut conn = schema(&server, &name_of_schema, 50).await;
            let _ = std::fs::remove_file(&hits);
            let output = tableshift_command(&server, &name_of_schema, "t", ALTER)
                .args([
                    "--execute",
                    "--max-load=Threads_running=100000",
                    "--discover-replicas",
                ])
                .args(["--throttle-query=SELECT 0", "--exact-rowcount", &replica])
                .env("TABLESHIFT_FAULTS", format!("{name}@{role}:{kind}"))
                .env("TABLESHIFT_FAULTS_HITS", &hits)
                .output()
                .expect("the program");
            assert_done(&output);
            assert!(hits.exists(), "{name}@{role}:{kind} was not reached");
            let rows: Option<(u64, u64)> = mysql_async::prelude::Queryable::query_first(
                &mut conn,
                "SELECT COUNT(*), SUM(v) FROM t WHERE note = ''",
            )
            .await
            .expect("rows");
            assert_eq!(rows, Some((50, 7 * 25 * 51)));
        }
    }
    let _ = std::fs::remove_file(&hits);
}
