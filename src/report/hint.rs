//! gh-ost's hint block: what is migrated where, and the settings in force. Pure.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::config::Threshold;

/// Everything that the block shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hint {
    /// Schema of all tables.
    pub schema: String,
    /// The table.
    pub table: String,
    /// Its ghost.
    pub ghost: String,
    /// `host:port` of the server that is written to.
    pub migrated: String,
    /// `host:port` of the server whose binary log is read.
    pub inspected: String,
    /// The host that the program runs on.
    pub executing: String,
    /// Moment of the start, seconds since 1970.
    pub started: u64,
    /// Most rows of a chunk.
    pub chunk_rows: u64,
    /// Lag that throttles, in milliseconds.
    pub lag_max_ms: u64,
    /// Kept for those who set it.
    pub dml_batch_size: u64,
    /// Status variables that throttle.
    pub max_load: Vec<Threshold>,
    /// Status variables that end the run.
    pub critical_load: Vec<Threshold>,
    /// Pause after a chunk, as a multiple of its time.
    pub nice_ratio: f64,
    /// Throttle flag file, and whether it is there.
    pub throttle_file: Option<(PathBuf, bool)>,
    /// The host's throttle flag file, and whether it is there.
    pub additional_file: Option<(PathBuf, bool)>,
    /// The throttle query.
    pub query: Option<String>,
    /// Number of control replicas.
    pub replicas: usize,
    /// Postpone flag file, and whether it is there.
    pub postpone_file: Option<(PathBuf, bool)>,
    /// Panic flag file.
    pub panic_file: Option<PathBuf>,
    /// The unix socket.
    pub socket: PathBuf,
    /// The TCP port.
    pub tcp_port: Option<u16>,
}

/// `Threads_running=50,Threads_connected=500`, sorted by name.
#[must_use]
pub fn load(thresholds: &[Threshold]) -> String {
    let mut texts: Vec<String> = thresholds
        .iter()
        .map(|threshold| format!("{}={}", threshold.variable, threshold.limit))
        .collect();
    texts.sort();
    texts.join(",")
}

/// The block, each line with its end.
#[must_use]
pub fn block(hint: &Hint) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "# Migrating `{0}`.`{1}`; Ghost table is `{0}`.`{2}`",
        hint.schema, hint.table, hint.ghost
    );
    let _ = writeln!(
        text,
        "# Migrating {}; inspecting {}; executing on {}",
        hint.migrated, hint.inspected, hint.executing
    );
    let _ = writeln!(
        text,
        "# Migration started at {}",
        super::time::ruby_date(hint.started)
    );
    let _ = writeln!(
        text,
        "# chunk-size: {}; max-lag-millis: {}ms; dml-batch-size: {}; max-load: {}; critical-load: {}; \
         nice-ratio: {:.6}",
        hint.chunk_rows,
        hint.lag_max_ms,
        hint.dml_batch_size,
        load(&hint.max_load),
        load(&hint.critical_load),
        hint.nice_ratio,
    );
    files(&mut text, hint);
    let _ = writeln!(text, "# Serving on unix socket: {}", hint.socket.display());
    if let Some(port) = hint.tcp_port {
        let _ = writeln!(text, "# Serving on TCP port: {port}");
    }
    text
}

/// A file's line ends in `[set]` when it is there, and in a blank when it isn't.
fn files(text: &mut String, hint: &Hint) {
    let mut file = |name: &str, file: &Option<(PathBuf, bool)>| {
        if let Some((path, there)) = file {
            let set = if *there { "[set]" } else { "" };
            let _ = writeln!(text, "# {name}: {} {set}", path.display());
        }
    };
    file("throttle-flag-file", &hint.throttle_file);
    file("throttle-additional-flag-file", &hint.additional_file);
    if let Some(query) = &hint.query {
        let _ = writeln!(text, "# throttle-query: {query}");
    }
    if hint.replicas > 0 {
        let _ = writeln!(text, "# throttle-control-replicas count: {}", hint.replicas);
    }
    if let Some((path, there)) = &hint.postpone_file {
        let set = if *there { "[set]" } else { "" };
        let _ = writeln!(
            text,
            "# postpone-cut-over-flag-file: {} {set}",
            path.display()
        );
    }
    if let Some(path) = &hint.panic_file {
        let _ = writeln!(text, "# panic-flag-file: {}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_has_gh_osts_lines_in_its_order() {
        let hint = Hint {
            schema: "t".into(),
            table: "sg".into(),
            ghost: "_sg_gho".into(),
            migrated: "vm:3402".into(),
            inspected: "vm:3402".into(),
            executing: "vm".into(),
            started: 1_795_251_231,
            chunk_rows: 10,
            lag_max_ms: 1_500,
            dml_batch_size: 10,
            max_load: vec![Threshold {
                variable: "Threads_running".into(),
                limit: 500,
            }],
            throttle_file: Some(("/tmp/x.thr".into(), true)),
            additional_file: Some(("/tmp/gh-ost.throttle".into(), false)),
            query: Some("select 1".into()),
            replicas: 2,
            postpone_file: Some(("/tmp/x.post".into(), true)),
            panic_file: Some("/tmp/x.panic".into()),
            socket: "/tmp/x.sock".into(),
            tcp_port: Some(34_020),
            ..Hint::default()
        };
        let expected = "# Migrating `t`.`sg`; Ghost table is `t`.`_sg_gho`\n\
            # Migrating vm:3402; inspecting vm:3402; executing on vm\n\
            # Migration started at Sat Nov 21 08:53:51 +0000 2026\n\
            # chunk-size: 10; max-lag-millis: 1500ms; dml-batch-size: 10; max-load: Threads_running=500; \
            critical-load: ; nice-ratio: 0.000000\n\
            # throttle-flag-file: /tmp/x.thr [set]\n\
            # throttle-additional-flag-file: /tmp/gh-ost.throttle \n\
            # throttle-query: select 1\n\
            # throttle-control-replicas count: 2\n\
            # postpone-cut-over-flag-file: /tmp/x.post [set]\n\
            # panic-flag-file: /tmp/x.panic\n\
            # Serving on unix socket: /tmp/x.sock\n\
            # Serving on TCP port: 34020\n";
        assert_eq!(block(&hint), expected);
    }
}
