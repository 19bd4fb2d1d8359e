//! Flags that say how much load a run may be.

use super::super::flags::{Flag, Group, Kind, live, more, nothing, switch, text, whole};
use super::YEAR;

/// How rows are copied, and compared.
pub(super) const COPY: Group = Group {
    title: "Copy",
    flags: &[
        live(
            more(
                whole("chunk-size", "", (10, 100_000), "Most rows of a chunk"),
                "Rows, 10 to 100000. By default a chunk has as many as take about 50 ms, and 7 ms while others write to \
                 the table.",
            ),
            "chunk-size",
        ),
        more(
            whole("copy-workers", "2", (1, 32), "Most connections that copy"),
            "1 to 32. While others write to the table one connection copies, and more only where each makes \
             the copy faster by a good part.",
        ),
        more(
            whole(
                "refresh-workers",
                "2",
                (1, 32),
                "Connections that refresh changed rows",
            ),
            "1 to 32.",
        ),
        live(
            nothing(
                whole(
                    "dml-batch-size",
                    "10",
                    (1, 1_000),
                    "Changes applied in one transaction",
                ),
                "changed rows are refreshed in batches of their own size",
            ),
            "dml-batch-size",
        ),
        nothing(
            whole(
                "default-retries",
                "60",
                (1, 100_000),
                "Retries of a failing step",
            ),
            "retries have fixed bounds",
        ),
        live(
            more(
                Flag {
                    kind: Kind::Number(0.0, 100.0),
                    ..text(
                        "nice-ratio",
                        "0",
                        "Pause after a chunk, as a multiple of its time",
                    )
                },
                "0 to 100; 1 halves the speed.",
            ),
            "nice-ratio",
        ),
        more(
            switch(
                "exact-rowcount",
                "Count the rows instead of estimating them",
            ),
            "By COUNT(*), on a connection of its own; only the progress depends on it.",
        ),
        more(
            Flag {
                default: "true",
                ..switch("concurrent-rowcount", "Count while copying; false: before")
            },
            "Only with --exact-rowcount. Before: the copy waits for it (state: counting rows).",
        ),
        more(
            Flag {
                kind: Kind::Word(&["auto", "on", "off"]),
                ..text(
                    "defer-secondary-indexes",
                    "auto",
                    "Build secondary indexes after the copy",
                )
            },
            "The non-unique ones, by one online ALTER of the ghost before the cut-over. auto: unless \
somebody reads the binary log, since replicas replay it as one long statement. See docs/deferred-indexes.md. Not \
in gh-ost.",
        ),
        more(
            Flag {
                kind: Kind::Word(&["full", "sample", "off"]),
                ..text("verify", "full", "How much is compared before the cut-over")
            },
            "full: every row of both tables, column by column; rows that change meanwhile are waited for. \
sample: a random share of the chunks, one at least. off: nothing. Where the ALTER adds or narrows a \
unique key it is always full.",
        ),
        more(
            whole(
                "verify-sample-percent",
                "10",
                (1, 100),
                "Share of --verify=sample",
            ),
            "Per cent of the chunks, 1 to 100.",
        ),
        more(
            switch(
                "verify-repair",
                "Refresh rows that differ, and verify again",
            ),
            "A pass that repaired counts for nothing: everything is compared again, also after a sample. \
With rows that differ even after three such passes the run ends. Repaired keys are logged.",
        ),
    ],
};

/// What pauses it.
pub(super) const THROTTLING: Group = Group {
    title: "Throttling",
    flags: &[
        live(
            more(
                whole(
                    "max-lag-millis",
                    "1500",
                    (100, YEAR * 1_000),
                    "Lag that throttles",
                ),
                "Milliseconds, at least 100: of the control replicas, and of the stream at the cut-over.",
            ),
            "max-lag-millis",
        ),
        more(
            whole(
                "heartbeat-interval-millis",
                "100",
                (100, 1_000),
                "Time between two heartbeats",
            ),
            "Milliseconds, 100 to 1000.",
        ),
        live(
            text(
                "throttle-control-replicas",
                "",
                "Replicas whose lag throttles: host:port,…",
            ),
            "throttle-control-replicas",
        ),
        switch(
            "discover-replicas",
            "Find the control replicas from the primary",
        ),
        live(
            more(
                text(
                    "throttle-query",
                    "",
                    "Query that throttles while it returns more than 0",
                ),
                "Run every second.",
            ),
            "throttle-query",
        ),
        live(
            more(
                text(
                    "throttle-http",
                    "",
                    "URL that throttles unless it answers 200 to HEAD",
                ),
                "http:// only.",
            ),
            "throttle-http",
        ),
        whole(
            "throttle-http-interval-millis",
            "100",
            (10, 3_600_000),
            "Time between two requests, in milliseconds",
        ),
        whole(
            "throttle-http-timeout-millis",
            "1000",
            (10, 3_600_000),
            "Longest wait for an answer, in milliseconds",
        ),
        switch("ignore-http-errors", "Go on while the URL can't be reached"),
        live(
            text("throttle-flag-file", "", "Pause while this file exists"),
            "throttle",
        ),
        live(
            text(
                "throttle-additional-flag-file",
                "/tmp/gh-ost.throttle",
                "The same, for all migrations on a host",
            ),
            "throttle",
        ),
        live(
            text(
                "max-load",
                "",
                "Status that throttles: Threads_running=50,…",
            ),
            "max-load",
        ),
        live(
            text(
                "critical-load",
                "",
                "Status that ends the run: Threads_running=500",
            ),
            "critical-load",
        ),
        more(
            whole(
                "critical-load-interval-millis",
                "0",
                (0, 3_600_000),
                "Look twice, so long apart",
            ),
            "Milliseconds from the first look at a critical load to the one that ends the run.",
        ),
        more(
            whole(
                "critical-load-hibernate-seconds",
                "0",
                (0, YEAR),
                "Pause so long instead of ending",
            ),
            "Seconds.",
        ),
        nothing(
            text("replication-lag-query", "", "A query for the lag"),
            "lag is measured by heartbeats",
        ),
    ],
};
