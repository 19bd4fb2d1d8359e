//! The table of all flags itself, in the order of `--help`.

mod load;
mod server;

use super::flags::{Flag, Group, Kind, live, more, nothing, switch, text, whole};
use server::SERVER;

/// Seconds that nobody waits in earnest.
const YEAR: u64 = 366 * 86_400;

/// All flags.
pub const GROUPS: [Group; 10] = [
    SERVER,
    Group {
        title: "Migration",
        flags: &[
            text("database", "", "Schema of the table; may stand in --alter"),
            text("table", "", "The table; may stand in --alter"),
            text(
                "alter",
                "",
                "The ALTER: its clauses, or the whole statement",
            ),
            more(
                text(
                    "schema",
                    "",
                    "File with the CREATE TABLE the table is to have",
                ),
                "Instead of --alter, which is made of it.",
            ),
            more(
                switch("allow-drop-columns", "Columns that the file lacks may go"),
                "With --schema: without it such a run is refused, because a column may have been renamed.",
            ),
            more(
                switch("execute", "Migrate; otherwise only look, and leave nothing"),
                "Without it everything is checked on an empty copy of the table.",
            ),
            more(
                switch(
                    "attempt-instant-ddl",
                    "Alter the table directly where that takes no copy",
                ),
                "That is tried anyway; with this flag also while a flag file postpones the cut-over. \
                 If given as false it isn't tried.",
            ),
            more(
                switch("no-shortcuts", "Never alter the table directly"),
                "Otherwise a change that the server makes instantly (ALGORITHM=INSTANT), or in place in its \
                 metadata alone, is made on the table itself: there is no old table then.",
            ),
            more(
                Flag {
                    kind: Kind::Texts,
                    ..text("backfill", "", "Fill a column: 'column = expression'")
                },
                "A column that the ALTER adds or changes, from an expression over the row as it was. May be given \
                 for several columns; see docs/backfill.md. Not in gh-ost.",
            ),
            text("force-table-names", "", "Base of the helper tables' names"),
            switch(
                "timestamp-old-table",
                "Put the time into the old table's name",
            ),
            more(
                switch("include-triggers", "Take the table's triggers along"),
                "Made on the new table just before the swap; the old table keeps its own.",
            ),
            text("trigger-suffix", "", "Suffix of their new names"),
            switch(
                "remove-trigger-suffix-if-exists",
                "Take the suffix off where it is there",
            ),
        ],
    },
    Group {
        title: "Topology",
        flags: &[
            nothing(
                switch(
                    "allow-on-master",
                    "The server named by --host may be the primary",
                ),
                "the primary may always be named",
            ),
            switch("allow-master-master", "The primary may have a co-primary"),
            switch(
                "tungsten",
                "The server is fed by replication it doesn't show",
            ),
            nothing(
                switch(
                    "aliyun-rds",
                    "Alibaba's RDS: @@hostname and @@port mean nothing",
                ),
                "host and port are never compared with the server's own",
            ),
            nothing(
                switch("gcp", "Cloud SQL: @@hostname and @@port mean nothing"),
                "host and port are never compared with the server's own",
            ),
            nothing(
                switch("azure", "Azure: @@hostname and @@port mean nothing"),
                "host and port are never compared with the server's own",
            ),
            switch("gtid", "Follow the binary log by GTIDs"),
            nothing(
                switch("assume-rbr", "Don't change the binary log's format"),
                "the format is checked and never changed",
            ),
            nothing(
                switch("switch-to-rbr", "Set binlog_format=ROW on the replica"),
                "the format is checked and never changed; another than ROW is refused with what to run",
            ),
            switch("test-on-replica", "Rehearse on a replica; both tables stay"),
            switch(
                "test-on-replica-skip-replica-stop",
                "The same; a hook stops replication",
            ),
            switch("migrate-on-replica", "Migrate on this replica only"),
        ],
    },
    Group {
        title: "Safety",
        flags: &[
            more(
                switch(
                    "allow-nullable-unique-key",
                    "Pair rows by a key that accepts NULL",
                ),
                "Used when there is no other key; a NULL in it ends the run, the original untouched.",
            ),
            nothing(
                switch("approve-renamed-columns", "Renames of columns are meant"),
                "renames are read from the ALTER and checked by the server",
            ),
            more(
                switch("skip-renamed-columns", "Renamed columns begin empty"),
                "They get their defaults, the old data is left behind. Refused for unique keys' columns.",
            ),
            more(
                switch(
                    "discard-foreign-keys",
                    "The new table has none of the foreign keys",
                ),
                "Those of the table itself; one that others refer to is refused.",
            ),
            nothing(
                switch("skip-foreign-key-checks", "Don't look for foreign keys"),
                "they are always looked for",
            ),
            more(
                switch(
                    "skip-strict-mode",
                    "Convert as a session without strict mode does",
                ),
                "Values that don't fit are adjusted; their columns are named, and not verified.",
            ),
            more(
                switch("allow-zero-in-date", "Zero dates pass"),
                "In changed columns too; without it only if the ALTER changes no date column.",
            ),
            nothing(
                switch("panic-on-warnings", "Stop at a warning of the server"),
                "what would be a warning is an error here, and the result is verified",
            ),
            nothing(
                switch(
                    "skip-metadata-lock-check",
                    "Don't ask for the metadata lock instrument",
                ),
                "the start barrier needs the metadata locks and checks them",
            ),
            more(
                switch(
                    "allow-setup-metadata-lock-instruments",
                    "Switch that instrument on",
                ),
                "Sets wait/lock/metadata/sql/mdl in performance_schema.setup_instruments to YES if it \
 is off; needs UPDATE on that table. It stays on.",
            ),
            switch("ok-to-drop-table", "Drop the old table at the end"),
            switch(
                "initially-drop-old-table",
                "Drop an old table of an earlier run at the start",
            ),
            switch(
                "initially-drop-ghost-table",
                "Drop a ghost of an earlier run at the start",
            ),
            switch(
                "initially-drop-socket-file",
                "Remove a socket file of an earlier run",
            ),
            nothing(
                switch(
                    "analyze-ghost-table-before-cutover",
                    "ANALYZE the ghost before the swap",
                ),
                "it is always analyzed",
            ),
        ],
    },
    load::COPY,
    load::THROTTLING,
    Group {
        title: "Cut-over",
        flags: &[
            nothing(
                Flag {
                    kind: Kind::Word(&["atomic", "default", "two-step"]),
                    ..text("cut-over", "atomic", "How to swap the tables")
                },
                "both tables are locked and renamed by one connection",
            ),
            more(
                whole(
                    "cut-over-lock-timeout-seconds",
                    "3",
                    (1, 10),
                    "Longest time the tables stay locked",
                ),
                "Seconds, 1 to 10.",
            ),
            nothing(
                switch(
                    "cut-over-exponential-backoff",
                    "Pause longer after each attempt",
                ),
                "attempts always back off",
            ),
            more(
                whole(
                    "exponential-backoff-max-interval",
                    "64",
                    (2, 86_400),
                    "Longest pause between attempts",
                ),
                "Seconds, at least 2.",
            ),
            live(
                more(
                    text(
                        "postpone-cut-over-flag-file",
                        "",
                        "No cut-over while this file exists",
                    ),
                    "Created at the start if it isn't there: removing it lets the cut-over go ahead.",
                ),
                "unpostpone, postpone-cut-over-flag-file",
            ),
            more(
                text(
                    "cut-over-window",
                    "",
                    "Cut over only then: 02:00-04:00 [Zone/City]",
                ),
                "Local times of the zone, or of this host without one; may span midnight. Several with commas, \
                 days in front: Mon-Fri 23:00-04:00,Sun 00:00-24:00 Europe/Berlin.",
            ),
            live(
                more(
                    switch(
                        "compare-plans",
                        "Cut over only if no statement's plan gets worse",
                    ),
                    "Explains the application's statements of the last day (performance_schema digests) over both \
                     tables before the cut-over, which is postponed if a plan would read three times as many rows, \
                     or fail. See docs/compare-plans.md.",
                ),
                "cut-over",
            ),
            more(
                whole(
                    "compare-plans-wait",
                    "0",
                    (0, YEAR),
                    "End the run when plans postponed it so long",
                ),
                "Seconds; 0 is never, in a batch 600 unless it is given. The run can be continued.",
            ),
            more(
                whole(
                    "force-cut-over-after",
                    "0",
                    (0, YEAR),
                    "End blockers after so long",
                ),
                "Seconds of attempts in vain; 0 is never. See --kill-blockers.",
            ),
            more(
                Flag {
                    kind: Kind::Word(&["none", "idle", "queries", "all"]),
                    ..text(
                        "kill-blockers",
                        "none",
                        "Which blockers --force-cut-over-after ends",
                    )
                },
                "none; idle: transactions that do nothing; queries: running SELECTs as well; all: every \
                 transaction. Never a session with explicit locks, never a very large transaction.",
            ),
            live(
                text("panic-flag-file", "", "End the run when this file appears"),
                "panic",
            ),
            switch(
                "force-named-cut-over",
                "The command cut-over must name the table",
            ),
            switch("force-named-panic", "The command panic must name the table"),
        ],
    },
    Group {
        title: "Control and hooks",
        flags: &[
            more(
                text("serve-socket-file", "", "Unix socket for commands"),
                "Default: /tmp/gh-ost.SCHEMA.TABLE.sock. Only its owner may use it.",
            ),
            more(
                whole(
                    "serve-tcp-port",
                    "0",
                    (0, 65_535),
                    "TCP port for commands; 0 for none",
                ),
                "Anybody who reaches it may end the run.",
            ),
            text(
                "serve-tcp-host",
                "127.0.0.1",
                "Address that --serve-tcp-port listens on",
            ),
            text(
                "hooks-path",
                "",
                "Folder of programs that are run at events",
            ),
            text("hooks-hint", "", "Text for the hooks"),
            text("hooks-hint-owner", "", "Text for the hooks"),
            text("hooks-hint-token", "", "Text for the hooks"),
            more(
                whole(
                    "hooks-status-interval",
                    "60",
                    (1, 86_400),
                    "Time between two status hooks",
                ),
                "Seconds.",
            ),
            more(
                whole(
                    "hooks-timeout",
                    "60",
                    (1, 86_400),
                    "Longest time a hook may take",
                ),
                "Seconds; then it is ended and counts as failed.",
            ),
        ],
    },
    Group {
        title: "Resume, revert, metrics",
        flags: &[
            more(
                Flag {
                    default: "true",
                    ..switch("checkpoint", "Write down now and then how far the run is")
                },
                "In the table _TABLE_ghk, on a connection of its own. A run that is stopped, killed or \
                 given up after a checkpoint goes on from it when the same command is run again. \
                 --checkpoint=false leaves it out; then an end before the swap drops all helper tables.",
            ),
            more(
                whole(
                    "checkpoint-seconds",
                    "",
                    (10, 86_400),
                    "Time between two checkpoints",
                ),
                "In seconds; 5 unless it is given.",
            ),
            more(
                switch("resume", "Go on from the last checkpoint, or refuse to run"),
                "Without it a run goes on if there is something to go on from, and begins anew if there \
                 isn't.",
            ),
            more(
                switch("no-resume", "Begin anew even if an earlier run could go on"),
                "Drops what that run has left. Not in gh-ost.",
            ),
            more(
                switch("revert", "Swap a finished migration back"),
                "The old table is brought up to date with what was written since the swap, verified, and \
                 swapped back; see docs/revert.md.",
            ),
            more(
                text("old-table", "", "The table to revert to"),
                "As the migration has left it: _TABLE_del.",
            ),
            more(
                text(
                    "revert-window",
                    "",
                    "Time after the cut-over to revert at once",
                ),
                "90s, 30m, 2h or 1d. Until then the command revert swaps back within a second; done ends \
                 it. Not in gh-ost.",
            ),
            more(
                text("metrics-listen", "", "Serve metrics over HTTP, [HOST:]PORT"),
                "For Prometheus, at /metrics; see docs/metrics.md. Loopback unless a host is given; whoever \
                 reaches it sees names and numbers. Port 0: any free one, told in the log. Not in gh-ost.",
            ),
            more(
                text("statsd-addr", "", "Where metrics are sent, host:port"),
                "By StatsD over UDP, every second; or a unix socket's path.",
            ),
            more(
                Flag {
                    kind: Kind::Texts,
                    ..text("statsd-tags", "", "A tag of these metrics, k:v")
                },
                "In DogStatsD's form. Needs --statsd-addr.",
            ),
            nothing(
                whole(
                    "runtime-metrics-interval",
                    "10",
                    (0, 86_400),
                    "Time between two runtime metrics",
                ),
                "there is no runtime to be measured",
            ),
        ],
    },
    Group {
        title: "Output",
        flags: &[
            switch("quiet", "Log errors only"),
            switch("verbose", "Log steps (the default)"),
            switch("debug", "Log details as well"),
            more(
                Flag {
                    kind: Kind::Word(&["text", "json"]),
                    ..text("log-format", "text", "Form of log lines")
                },
                "text or json; json gives one object a line, with the keys time, level and message.",
            ),
            more(
                text(
                    "history-schema",
                    "",
                    "Schema of the history of runs (_tableshift_history)",
                ),
                "By default the table's own. Must exist; the table is made when it is first needed. Needs \
                 CREATE, INSERT, SELECT, UPDATE on that table. Not in gh-ost.",
            ),
            more(
                switch("no-history", "Don't record the run in the history"),
                "Otherwise one row says what was done, when, by whom, and how it ended. Not in gh-ost.",
            ),
            nothing(
                switch("stack", "Stack traces with errors"),
                "errors say what to do next",
            ),
            switch("check-flag", "Only check the flags"),
        ],
    },
];
