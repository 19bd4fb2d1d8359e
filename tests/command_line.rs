//! What can be asked of the program without a server: every flag in every form, help, version,
//! completions, manual page, reference page.

#[cfg(test)]
mod support;

use std::process::{Command, Output};

use support::golden;
use tableshift::cli::flags::{self, Kind};
use tableshift::cli::{Asked, help, read};

/// gh-ost's flags without a value, and whether they are on by default.
const SWITCHES: [&str; 42] = [
    "aliyun-rds",
    "allow-master-master",
    "allow-nullable-unique-key",
    "allow-on-master",
    "allow-setup-metadata-lock-instruments",
    "allow-zero-in-date",
    "analyze-ghost-table-before-cutover",
    "approve-renamed-columns",
    "ask-pass",
    "assume-rbr",
    "attempt-instant-ddl",
    "azure",
    "check-flag",
    "checkpoint",
    "concurrent-rowcount",
    "cut-over-exponential-backoff",
    "debug",
    "discard-foreign-keys",
    "exact-rowcount",
    "execute",
    "force-named-cut-over",
    "force-named-panic",
    "gcp",
    "gtid",
    "ignore-http-errors",
    "include-triggers",
    "initially-drop-ghost-table",
    "initially-drop-old-table",
    "initially-drop-socket-file",
    "migrate-on-replica",
    "ok-to-drop-table",
    "panic-on-warnings",
    "quiet",
    "remove-trigger-suffix-if-exists",
    "resume",
    "revert",
    "skip-foreign-key-checks",
    "skip-metadata-lock-check",
    "skip-port-validation",
    "skip-renamed-columns",
    "skip-strict-mode",
    "ssl",
];
const MORE_SWITCHES: [&str; 8] = [
    "ssl-allow-insecure",
    "stack",
    "switch-to-rbr",
    "test-on-replica",
    "test-on-replica-skip-replica-stop",
    "timestamp-old-table",
    "tungsten",
    "verbose",
];

/// gh-ost's flags with a value, and one that they can have.
const VALUES: [(&str, &str); 56] = [
    ("alter", "ALTER TABLE d.t FORCE"),
    ("assume-master-host", "h:3307"),
    ("binlogsyncer-max-reconnect-attempts", "5"),
    ("charset", "utf8mb4"),
    ("checkpoint-seconds", "60"),
    ("chunk-size", "500"),
    ("conf", ""),
    ("critical-load", "Threads_running=100"),
    ("critical-load-hibernate-seconds", "10"),
    ("critical-load-interval-millis", "100"),
    ("cut-over", "two-step"),
    ("cut-over-lock-timeout-seconds", "5"),
    ("database", "d"),
    ("default-retries", "10"),
    ("dml-batch-size", "20"),
    ("exponential-backoff-max-interval", "8"),
    ("force-table-names", "base"),
    ("heartbeat-interval-millis", "200"),
    ("hooks-hint", "hint"),
    ("hooks-hint-owner", "owner"),
    ("hooks-hint-token", "token"),
    ("hooks-path", "/tmp"),
    ("hooks-status-interval", "30"),
    ("host", "h"),
    ("master-password", "p"),
    ("master-user", "u"),
    ("max-lag-millis", "2000"),
    ("max-load", "Threads_running=10"),
    ("mysql-timeout", "2.5"),
    ("nice-ratio", "0.5"),
    ("old-table", "_t_del"),
    ("panic-flag-file", "/tmp/p"),
    ("password", "-p=w ord"),
    ("port", "3307"),
    ("postpone-cut-over-flag-file", "/tmp/f"),
    ("replica-server-id", "7"),
    ("replication-lag-query", "SELECT 1"),
    ("runtime-metrics-interval", "5"),
    ("serve-socket-file", "/tmp/s"),
    ("serve-tcp-port", "10001"),
    ("ssl-ca", ""),
    ("ssl-cert", ""),
    ("ssl-key", ""),
    ("statsd-addr", "h:8125"),
    ("statsd-tags", "k:v"),
    ("storage-engine", "innodb"),
    ("table", "t"),
    ("throttle-additional-flag-file", "/tmp/a"),
    ("throttle-control-replicas", "h:3306,i"),
    ("throttle-flag-file", "/tmp/t"),
    ("throttle-http", "http://h/"),
    ("throttle-http-interval-millis", "100"),
    ("throttle-http-timeout-millis", "1000"),
    ("throttle-query", "SELECT 0"),
    ("trigger-suffix", "_x"),
    ("user", "u"),
];

/// The command line is understood, whatever is thought of it.
#[track_caller]
fn understood(arguments: &[&str]) {
    let asked = read(arguments.iter().map(|argument| (*argument).to_owned()));
    if let Asked::Wrong(text) = asked {
        for never in [
            "unexpected",
            "unrecognized",
            "required",
            "invalid value",
            "must be",
        ] {
            // What is missing besides is told in gh-ost's words, which have "must be provided".
            let text = text
                .replace("must be provided", "")
                .replace("must be called", "");
            assert!(!text.contains(never), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn every_flag_of_gh_ost_is_understood_in_every_form() {
    for name in SWITCHES.iter().chain(&MORE_SWITCHES) {
        for dashes in ["-", "--"] {
            understood(&[&format!("{dashes}{name}"), "--check-flag"]);
            for value in ["true", "false", "1", "0", "t", "F", "TRUE", "False"] {
                understood(&[&format!("{dashes}{name}={value}"), "--check-flag"]);
            }
        }
    }
    for (name, value) in VALUES {
        for dashes in ["-", "--"] {
            understood(&[&format!("{dashes}{name}={value}"), "--check-flag"]);
            understood(&[&format!("{dashes}{name}"), value, "--check-flag"]);
        }
    }
}

#[test]
fn the_lists_above_name_flags_of_their_kind_and_all_that_are_not_ours() {
    let mut ours = Vec::new();
    for flag in flags::all() {
        let switch = SWITCHES.contains(&flag.name) || MORE_SWITCHES.contains(&flag.name);
        let value = VALUES.iter().any(|(name, _)| *name == flag.name);
        assert!(!switch || flag.kind == Kind::Switch, "{}", flag.name);
        assert!(!value || flag.kind != Kind::Switch, "{}", flag.name);
        if !switch && !value {
            ours.push(flag.name);
        }
    }
    let page = help::reference();
    for name in ours {
        let row = page
            .lines()
            .find(|line| line.contains(&format!("| `--{name}` ")));
        let row = row.expect("a row for each flag");
        assert!(
            row.contains("Not in gh-ost.") || row.contains("Refused"),
            "{row}"
        );
    }
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tableshift"))
        .args(arguments)
        .env_clear()
        .output()
        .expect("the program")
}

/// What the program prints on stdout, when it ends with 0 and says nothing else.
fn printed(arguments: &[&str]) -> String {
    let output = program(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    assert_eq!(errors, "");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn help_is_as_it_was_read_in_review() {
    golden("tests/golden/help-short.txt", &printed(&["-h"]));
    golden("tests/golden/help-long.txt", &printed(&["--help"]));
    assert_eq!(printed(&["-help"]), printed(&["--help"]));
}

#[test]
fn the_reference_page_is_current() {
    golden("docs/flags.md", &help::reference());
}

#[test]
fn the_version_has_gh_osts_form() {
    for flag in ["--version", "-version"] {
        let version = printed(&[flag]);
        let (number, commit) = version.split_once(" (git commit: ").expect(&version);
        assert_eq!(number, env!("CARGO_PKG_VERSION"));
        let commit = commit.strip_suffix(")\n").expect(&version);
        let hash = commit.len() >= 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
        assert!(hash || commit == "unknown", "{commit}");
    }
}

#[test]
fn completions_and_manual_page_know_every_flag() {
    for arguments in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["man"],
    ] {
        // Roff writes dashes with a backslash.
        let text = printed(arguments).replace("\\-", "-");
        for flag in flags::all() {
            assert!(text.contains(flag.name), "{arguments:?}: {}", flag.name);
        }
    }
    let wrong = program(&["completions", "tcsh"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_password_is_not_asked_for_without_a_terminal() {
    let output = Command::new("setsid")
        .args(["--wait", env!("CARGO_BIN_EXE_tableshift")])
        .args(["--ask-pass", "--alter=ALTER TABLE d.t FORCE"])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("setsid; scripts/setup installs it");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("no terminal to ask on"), "{text}");
    assert!(text.contains("--conf"), "{text}");
}
