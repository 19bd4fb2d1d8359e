//! The desk: the one owner of what operators can change while a migration runs. Pure.
//!
//! Commands, flag files, collectors of load and lag, hooks and the time window all end here; what
//! follows for the migration goes out as [`Act`]s. The engine carries them out and answers who asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::command::{self, Change, Command, Setting};
use super::files::Flags;
use super::window::Opening;
use super::{Hold, Source, throttle};
use crate::config::{Config, Throttle};
use crate::report::hint::{self, Hint};
use crate::report::line::{self, Snapshot};

/// What doesn't change during a run, as operators are told it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Schema of all tables.
    pub schema: String,
    /// The table.
    pub table: String,
    /// Its ghost.
    pub ghost: String,
    /// `host:port` and version of the server that is written to.
    pub applier: (String, String),
    /// The same of the server whose binary log is read.
    pub inspector: (String, String),
    /// The host that the program runs on.
    pub executing: String,
    /// Moment of the start, seconds since 1970.
    pub started: u64,
}

/// What follows for the migration.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Everything pauses for this reason, or goes on.
    Throttled(Option<String>),
    /// The cut-over is held back, or not any more.
    Postponed(bool),
    /// Settings of the copy and the throttle have changed.
    Tuned,
    /// This postpone file is to be created and watched from now on.
    Postpone(PathBuf),
    /// End the run.
    Stop(String),
    /// For stdout.
    Print(String),
}

/// An answer to a line, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the operator reads; every line has its end.
    pub text: String,
    /// What follows.
    pub acts: Vec<Act>,
}

/// The owner of live settings and of all reasons to wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Desk {
    facts: Facts,
    throttle: Throttle,
    chunk_rows: u64,
    dml_batch_size: u64,
    named_cut_over: bool,
    named_panic: bool,
    postpone_file: Option<PathBuf>,
    panic_file: Option<PathBuf>,
    socket: PathBuf,
    tcp_port: Option<u16>,
    flags: Flags,
    reasons: BTreeMap<Source, String>,
    holds: BTreeSet<Hold>,
    /// This is the revert window of a migration.
    in_window: bool,
    /// The operator has allowed the cut-over although its file is there.
    unpostponed: bool,
    /// The operator has allowed the cut-over although its window is closed.
    window_waived: bool,
    /// The operator has allowed the cut-over whatever the plans are like.
    plans_waived: bool,
    /// When the window opens, as it was told last.
    opens: Option<String>,
}

const NOTE: &str = "# Note: you may only throttle for as long as your binary logs are not purged\n";

impl Desk {
    /// The desk at the start of a run; `chunk_rows` is the most rows a chunk may have.
    #[must_use]
    pub fn new(config: &Config, facts: Facts, chunk_rows: u64) -> Self {
        Self {
            facts,
            throttle: config.throttle.clone(),
            chunk_rows,
            dml_batch_size: 10,
            named_cut_over: config.control.named_cut_over,
            named_panic: config.control.named_panic,
            postpone_file: config.cut_over.postpone_file.clone(),
            panic_file: config.panic_file.clone(),
            socket: config.control.socket.clone(),
            tcp_port: config.control.tcp.as_ref().map(|(_, port)| *port),
            flags: Flags::default(),
            reasons: throttle::unread(&config.throttle).into_iter().collect(),
            holds: in_window(config)
                .then_some(Hold::Revert)
                .into_iter()
                .collect(),
            in_window: in_window(config),
            unpostponed: false,
            window_waived: false,
            plans_waived: false,
            opens: None,
        }
    }

    /// The unix socket is here, and not where the configuration says.
    #[must_use]
    pub fn serving_on(self, socket: PathBuf) -> Self {
        Self { socket, ..self }
    }

    /// Most rows of a chunk.
    #[must_use]
    pub fn chunk_rows(&self) -> u64 {
        self.chunk_rows
    }

    /// Everything about throttling.
    #[must_use]
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Why everything pauses: the first reason in the order of [`Source`].
    #[must_use]
    pub fn reason(&self) -> Option<&String> {
        self.reasons.values().next()
    }

    /// Heartbeats rest as well.
    #[must_use]
    pub fn silent(&self) -> bool {
        self.reasons
            .keys()
            .any(|source| throttle::silences(*source))
    }

    /// The cut-over is held back.
    #[must_use]
    pub fn postponed(&self) -> bool {
        !self.holds.is_empty()
    }

    /// The cut-over is held back by what an operator has said, and not only until a hook agrees.
    #[must_use]
    pub fn held_by_operator(&self) -> bool {
        self.holds.iter().any(|hold| *hold != Hold::Hook)
    }

    /// Nobody has asked for the revert that the window is for.
    #[must_use]
    pub fn waits_to_revert(&self) -> bool {
        self.holds.contains(&Hold::Revert)
    }

    /// The revert window is over, which is no reason to stop a revert.
    #[must_use]
    pub fn window_over(&self) -> Vec<Act> {
        let over = self
            .waits_to_revert()
            .then(|| Act::Stop("the revert window is over".into()));
        over.into_iter().collect()
    }

    fn in_window(&self, command: &str) -> Result<(), String> {
        if self.in_window {
            return Ok(());
        }
        Err(format!(
            "{command} is for the revert window, after the cut-over of a run with --revert-window"
        ))
    }

    /// A source wants a pause, or not any more.
    pub fn signal(&mut self, source: Source, reason: Option<String>) -> Vec<Act> {
        let before = self.reason().cloned();
        match reason {
            Some(reason) => drop(self.reasons.insert(source, reason)),
            None => drop(self.reasons.remove(&source)),
        }
        let now = self.reason().cloned();
        if before == now {
            Vec::new()
        } else {
            vec![Act::Throttled(now)]
        }
    }

    /// Something holds the cut-over back, or not any more.
    pub fn hold(&mut self, hold: Hold, held: bool) -> Vec<Act> {
        let before = self.postponed();
        if held {
            self.holds.insert(hold);
        } else {
            self.holds.remove(&hold);
        }
        if before == self.postponed() {
            Vec::new()
        } else {
            vec![Act::Postponed(!before)]
        }
    }

    /// What the clock says of the cut-over's window; when it is closed, and that is news, returns when
    /// it opens as well.
    pub fn window(&mut self, opening: Opening) -> (Vec<Act>, Option<String>) {
        let (closed, opens) = match opening {
            // The operator's word counts until the window has opened.
            Opening::Open => {
                self.window_waived = false;
                (false, None)
            }
            Opening::Opens(moment) => {
                let moment = moment.unwrap_or_else(|| "a day far ahead".into());
                (!self.window_waived, Some(moment))
            }
        };
        let news = opens.clone().filter(|_| closed && self.opens != opens);
        self.opens = opens;
        (self.hold(Hold::Window, closed), news)
    }

    /// Plans were compared, and got worse or didn't.
    pub fn plans(&mut self, worse: bool) -> Vec<Act> {
        // The operator has seen them, and his word counts for the rest of the run.
        self.hold(Hold::Plans, worse && !self.plans_waived)
    }

    /// The cut-over is held back by plans.
    #[must_use]
    pub fn waits_for_plans(&self) -> bool {
        self.holds.contains(&Hold::Plans)
    }

    /// What the flag files say.
    pub fn files(&mut self, flags: Flags) -> Vec<Act> {
        // The operator's word counts until the file has gone and come back.
        if !flags.postpone {
            self.unpostponed = false;
        }
        self.flags = flags;
        let throttled = flags.throttle || flags.additional;
        let mut acts = self.signal(Source::File, throttled.then(|| "flag-file".to_owned()));
        acts.extend(self.hold(Hold::File, flags.postpone && !self.unpostponed));
        if flags.panic {
            acts.push(Act::Stop("the panic flag file appeared".into()));
        }
        acts
    }

    /// Answers a line. `postponing` tells that nothing but a hold keeps the cut-over back.
    pub fn command(&mut self, line: &str, snapshot: &Snapshot, postponing: bool) -> Answer {
        let answer =
            command::parse(line).and_then(|command| self.carry_out(command, snapshot, postponing));
        answer.unwrap_or_else(|wrong| Answer {
            text: format!("{wrong}\n"),
            acts: Vec::new(),
        })
    }

    fn carry_out(
        &mut self,
        command: Command,
        snapshot: &Snapshot,
        postponing: bool,
    ) -> Result<Answer, String> {
        let said = |text: String| {
            Ok(Answer {
                text,
                acts: Vec::new(),
            })
        };
        match command {
            Command::Help => said(command::HELP.into()),
            Command::Status => Ok(self.shown("", snapshot, Vec::new())),
            Command::Line => {
                let text = format!("{}\n", line::status(snapshot));
                let acts = vec![Act::Print(text.trim_end().into())];
                Ok(Answer { text, acts })
            }
            Command::Coordinates => said(format!("{}\n", snapshot.position)),
            Command::Applier => said(server(&self.facts.applier)),
            Command::Inspector => said(server(&self.facts.inspector)),
            Command::Profile => Err("cpu-profile is a command of gh-ost's Go runtime".into()),
            Command::Ask(setting) => said(format!("{}\n", self.value(setting))),
            Command::Set(change) => {
                let before = self.set(change);
                Ok(self.shown(&before, snapshot, vec![Act::Tuned]))
            }
            Command::Throttle(table) => {
                self.ours("throttle", table.as_deref())?;
                let acts = self.signal(Source::User, Some("commanded by user".into()));
                Ok(self.shown(NOTE, snapshot, acts))
            }
            Command::Unthrottle(table) => {
                self.ours("no-throttle", table.as_deref())?;
                let acts = self.signal(Source::User, None);
                Ok(self.shown("", snapshot, acts))
            }
            Command::Postpone(path) => {
                let path = PathBuf::from(path);
                self.postpone_file = Some(path.clone());
                self.unpostponed = false;
                let mut acts = vec![Act::Postpone(path)];
                acts.extend(self.hold(Hold::File, true));
                Ok(self.shown("Postponed\n", snapshot, acts))
            }
            Command::Unpostpone(table) => self.unpostpone(&table, snapshot, postponing),
            Command::Panic(table) => self.panic(&table),
            Command::Revert => {
                self.in_window("revert")?;
                let acts = self.hold(Hold::Revert, false);
                Ok(self.shown("Reverting\n", snapshot, acts))
            }
            Command::Done => {
                self.in_window("done")?;
                Ok(Answer {
                    text: "The revert window is over; the migration stays as it is\n".into(),
                    acts: vec![Act::Stop("commanded by user".into())],
                })
            }
        }
    }

    fn unpostpone(
        &mut self,
        table: &Option<String>,
        snapshot: &Snapshot,
        postponing: bool,
    ) -> Result<Answer, String> {
        self.ours("unpostpone", table.as_deref())?;
        self.named(
            "unpostpone",
            "force-named-cut-over",
            self.named_cut_over,
            table,
        )?;
        if !postponing {
            return Err(
                "You may only invoke this when gh-ost is actively postponing migration. At this \
                 time it is not"
                    .into(),
            );
        }
        self.unpostponed = true;
        self.window_waived = self.holds.contains(&Hold::Window);
        self.plans_waived |= self.waits_for_plans();
        let mut acts = self.hold(Hold::File, false);
        acts.extend(self.hold(Hold::Window, false));
        acts.extend(self.hold(Hold::Plans, false));
        Ok(self.shown("Unpostponed\n", snapshot, acts))
    }

    fn panic(&self, table: &Option<String>) -> Result<Answer, String> {
        self.ours("panic", table.as_deref())?;
        self.named("panic", "force-named-panic", self.named_panic, table)?;
        Ok(Answer {
            text: "user commanded 'panic'. The migration will be aborted; its helper tables are \
                   dropped, the original stays as it is\n"
                .into(),
            acts: vec![Act::Stop("commanded by user".into())],
        })
    }

    /// The hint block and the status line, which go to stdout as well.
    fn shown(&self, before: &str, snapshot: &Snapshot, mut acts: Vec<Act>) -> Answer {
        let mut snapshot = snapshot.clone();
        // The state after what has just been asked for.
        if let Some(reason) = self.reason() {
            snapshot.state = format!("throttled, {reason}");
        } else if snapshot.state.starts_with("throttled") {
            snapshot.state = "migrating".into();
        }
        let status = format!("{}{}", hint::block(&self.hint()), line::status(&snapshot));
        acts.push(Act::Print(status.clone()));
        Answer {
            text: format!("{before}{status}\n"),
            acts,
        }
    }

    fn ours(&self, command: &str, table: Option<&str>) -> Result<(), String> {
        match table {
            Some(table) if table != self.facts.table => Err(format!(
                "user commanded '{command}' on {table}, but migrated table is {}; ignoring request",
                self.facts.table
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn named(
        &self,
        command: &str,
        flag: &str,
        must: bool,
        table: &Option<String>,
    ) -> Result<(), String> {
        if must && table.is_none() {
            return Err(format!(
                "user commanded '{command}' without specifying table name, but --{flag} is set"
            ));
        }
        Ok(())
    }

    fn value(&self, setting: Setting) -> String {
        let throttle = &self.throttle;
        match setting {
            Setting::ChunkSize => self.chunk_rows.to_string(),
            Setting::DmlBatchSize => self.dml_batch_size.to_string(),
            Setting::MaxLagMillis => throttle.lag_max.as_millis().to_string(),
            Setting::NiceRatio => throttle.nice_ratio.to_string(),
            Setting::MaxLoad => hint::load(&throttle.max_load),
            Setting::CriticalLoad => hint::load(&throttle.critical_load),
            Setting::ThrottleQuery => throttle.query.clone().unwrap_or_default(),
            Setting::ThrottleHttp => throttle.http.clone().unwrap_or_default(),
            Setting::ControlReplicas => replicas(&throttle.control_replicas),
        }
    }

    /// Takes a new value; returns what the answer begins with.
    fn set(&mut self, change: Change) -> String {
        let throttle = &mut self.throttle;
        match change {
            Change::ChunkSize(rows) => self.chunk_rows = rows,
            Change::DmlBatchSize(size) => self.dml_batch_size = size,
            Change::MaxLagMillis(millis) => {
                throttle.lag_max = std::time::Duration::from_millis(millis);
            }
            Change::NiceRatio(ratio) => throttle.nice_ratio = ratio,
            Change::MaxLoad(load) => throttle.max_load = load,
            Change::CriticalLoad(load) => throttle.critical_load = load,
            Change::ThrottleQuery(query) => {
                throttle.query = query;
                return NOTE.into();
            }
            Change::ThrottleHttp(url) => {
                throttle.http = url;
                return NOTE.into();
            }
            Change::ControlReplicas(addresses) => {
                throttle.control_replicas = addresses;
                return format!("{}\n", replicas(&throttle.control_replicas));
            }
        }
        String::new()
    }

    /// The hint block's content.
    #[must_use]
    pub fn hint(&self) -> Hint {
        let (facts, throttle) = (&self.facts, &self.throttle);
        let file = |path: &Option<PathBuf>, there: bool| path.clone().map(|path| (path, there));
        Hint {
            schema: facts.schema.clone(),
            table: facts.table.clone(),
            ghost: facts.ghost.clone(),
            migrated: facts.applier.0.clone(),
            inspected: facts.inspector.0.clone(),
            executing: facts.executing.clone(),
            started: facts.started,
            chunk_rows: self.chunk_rows,
            lag_max_ms: u64::try_from(throttle.lag_max.as_millis()).unwrap_or(u64::MAX),
            dml_batch_size: self.dml_batch_size,
            max_load: throttle.max_load.clone(),
            critical_load: throttle.critical_load.clone(),
            nice_ratio: throttle.nice_ratio,
            throttle_file: file(&throttle.file, self.flags.throttle),
            additional_file: file(&throttle.additional_file, self.flags.additional),
            query: throttle.query.clone(),
            replicas: throttle.control_replicas.len(),
            postpone_file: file(&self.postpone_file, self.flags.postpone),
            panic_file: self.panic_file.clone(),
            socket: self.socket.clone(),
            tcp_port: self.tcp_port,
        }
    }
}

/// A revert that waits for somebody to ask for it.
fn in_window(config: &Config) -> bool {
    config.revert.is_some() && config.revert_window.is_some()
}

fn server((host, version): &(String, String)) -> String {
    format!("Host: {host}, Version: {version}\n")
}

fn replicas(addresses: &[(String, u16)]) -> String {
    let texts: Vec<String> = addresses
        .iter()
        .map(|(host, port)| format!("{host}:{port}"))
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(flags: &[&str]) -> Desk {
        let arguments = [
            "--database=shop",
            "--table=orders",
            "--alter=FORCE",
            "--postpone-cut-over-flag-file=/tmp/p",
        ];
        let arguments = arguments.iter().chain(flags).map(|text| (*text).to_owned());
        let config = match crate::cli::read(arguments) {
            crate::cli::Asked::Run(config) => config,
            crate::cli::Asked::Print(text) | crate::cli::Asked::Wrong(text) => panic!("{text}"),
            crate::cli::Asked::CleanUp(_)
            | crate::cli::Asked::List(_)
            | crate::cli::Asked::Verify(_)
            | crate::cli::Asked::Differ(_)
            | crate::cli::Asked::Batch(_)
            | crate::cli::Asked::Plan(_) => panic!("not a run"),
        };
        let facts = Facts {
            schema: "shop".into(),
            table: "orders".into(),
            ghost: "_orders_gho".into(),
            applier: ("vm:3306".into(), "9.7.4".into()),
            inspector: ("vm:3306".into(), "9.7.4".into()),
            executing: "vm".into(),
            started: 0,
        };
        Desk::new(&config, facts, 1_000)
    }

    fn ask(desk: &mut Desk, line: &str) -> Answer {
        let snapshot = Snapshot {
            state: "migrating".into(),
            position: "binlog.000001:4".into(),
            ..Snapshot::default()
        };
        desk.command(line, &snapshot, desk.postponed())
    }

    #[test]
    fn the_first_reason_is_shown_and_the_last_one_to_go_lets_go() {
        let mut desk = desk(&[]);
        let high = Some("max-load Threads_running=9 >= 5".to_owned());
        let acts = desk.signal(Source::MaxLoad, high.clone());
        assert_eq!(acts, [Act::Throttled(high.clone())]);
        assert!(!desk.silent(), "heartbeats go on");
        let answer = ask(&mut desk, "throttle");
        assert!(desk.silent(), "the operator wants no write at all");
        let user = Some("commanded by user".to_owned());
        assert_eq!(answer.acts.first(), Some(&Act::Throttled(user)));
        assert!(answer.text.starts_with("# Note: you may only"));
        assert!(answer.text.contains("State: throttled, commanded by user"));
        let answer = ask(&mut desk, "no-throttle=orders");
        assert_eq!(answer.acts.first(), Some(&Act::Throttled(high)));
        assert_eq!(desk.signal(Source::MaxLoad, None), [Act::Throttled(None)]);
    }

    #[test]
    fn a_signal_holds_until_it_has_been_read() {
        let mut desk = desk(&["--throttle-query=SELECT 0", "--max-load=Threads_running=1"]);
        let reason = desk.reason().map(String::as_str);
        assert_eq!(reason, Some("max-load not read yet"));
        let second = Some("throttle-query not read yet".to_owned());
        assert_eq!(desk.signal(Source::MaxLoad, None), [Act::Throttled(second)]);
        assert_eq!(desk.signal(Source::Query, None), [Act::Throttled(None)]);
    }

    #[test]
    fn another_table_s_commands_are_ignored() {
        let mut desk = desk(&[]);
        for (line, command) in [
            ("throttle=zz", "throttle"),
            ("resume=zz", "no-throttle"),
            ("cut-over=zz", "unpostpone"),
            ("panic=zz", "panic"),
        ] {
            let answer = ask(&mut desk, line);
            let expected = format!(
                "user commanded '{command}' on zz, but migrated table is orders; ignoring request\n"
            );
            assert_eq!((answer.text, answer.acts), (expected, vec![]));
        }
    }

    #[test]
    fn a_closed_window_holds_until_it_opens_or_an_operator_says_so() {
        let mut desk = desk(&[]);
        let closed = || Opening::Opens(Some("2026-11-25 02:00 UTC".into()));
        let told = Some("2026-11-25 02:00 UTC".to_owned());
        assert_eq!(desk.window(closed()), (vec![Act::Postponed(true)], told));
        assert_eq!(desk.window(closed()), (vec![], None));
        assert!(ask(&mut desk, "cut-over").text.starts_with("Unpostponed"));
        assert!(!desk.postponed());
        assert_eq!(desk.window(closed()), (vec![], None), "allowed once");
        assert_eq!(desk.window(Opening::Open), (vec![], None));
        let later = Opening::Opens(Some("2026-11-26 02:00 UTC".into()));
        let told = Some("2026-11-26 02:00 UTC".to_owned());
        assert_eq!(desk.window(later), (vec![Act::Postponed(true)], told));
        assert_eq!(
            desk.window(Opening::Open),
            (vec![Act::Postponed(false)], None)
        );
    }

    #[test]
    fn plans_hold_until_they_are_better_or_an_operator_has_seen_them() {
        let mut desk = desk(&[]);
        assert_eq!(desk.plans(false), []);
        assert_eq!(desk.plans(true), [Act::Postponed(true)]);
        assert!(desk.held_by_operator() && desk.waits_for_plans());
        assert_eq!(desk.plans(true), []);
        assert_eq!(desk.plans(false), [Act::Postponed(false)]);
        assert_eq!(desk.plans(true), [Act::Postponed(true)]);
        let answer = ask(&mut desk, "cut-over");
        assert_eq!(answer.acts.first(), Some(&Act::Postponed(false)));
        assert_eq!(desk.plans(true), [], "they were seen");
    }

    #[test]
    fn who_allows_the_cut_over_before_the_plans_are_known_has_not_seen_them() {
        let mut desk = desk(&[]);
        let there = Flags {
            postpone: true,
            ..Flags::default()
        };
        desk.files(there);
        assert!(ask(&mut desk, "cut-over").text.starts_with("Unpostponed"));
        assert_eq!(desk.plans(true), [Act::Postponed(true)]);
        assert_eq!(
            desk.files(Flags::default()),
            [],
            "the file alone doesn't free it"
        );
    }

    #[test]
    fn the_cut_over_is_allowed_by_command_until_the_file_comes_back() {
        let mut desk = desk(&[]);
        let there = Flags {
            postpone: true,
            ..Flags::default()
        };
        assert_eq!(desk.files(there), [Act::Postponed(true)]);
        let answer = ask(&mut desk, "unpostpone");
        assert_eq!(answer.acts.first(), Some(&Act::Postponed(false)));
        assert!(answer.text.starts_with("Unpostponed\n# Migrating"));
        assert_eq!(
            desk.files(there),
            [],
            "it was said although the file is there"
        );
        assert!(
            ask(&mut desk, "cut-over")
                .text
                .starts_with("You may only invoke this")
        );
        desk.files(Flags::default());
        assert_eq!(desk.files(there), [Act::Postponed(true)]);
        let answer = ask(&mut desk, "postpone-cut-over-flag-file=/tmp/other");
        assert_eq!(
            answer.acts.first(),
            Some(&Act::Postpone("/tmp/other".into()))
        );
        assert!(answer.text.starts_with("Postponed\n"));
    }

    #[test]
    fn settings_are_changed_and_asked_for() {
        let mut desk = desk(&[]);
        for (set, ask_for, value) in [
            ("chunk-size=500", "chunk-size=?", "500\n"),
            ("dml-batch-size=20", "dml-batch-size=?", "20\n"),
            ("max-lag-millis=2500", "max-lag-millis=?", "2500\n"),
            ("nice-ratio=0.7", "nice-ratio=?", "0.7\n"),
            ("nice-ratio=0", "nice-ratio=?", "0\n"),
            ("max-load=B=2,A=1", "max-load=?", "A=1,B=2\n"),
            ("critical-load=A=1", "critical-load=?", "A=1\n"),
            ("critical-load=", "critical-load=?", "\n"),
            ("throttle-query=select 1", "throttle-query=?", "select 1\n"),
            ("throttle-http=http://x/", "throttle-http=?", "http://x/\n"),
            (
                "throttle-control-replicas=a:1,b",
                "throttle-control-replicas=?",
                "a:1,b:3306\n",
            ),
        ] {
            let answer = ask(&mut desk, set);
            assert_eq!(answer.acts.first(), Some(&Act::Tuned), "{set}");
            assert!(answer.text.contains("# Migrating `shop`.`orders`"), "{set}");
            assert_eq!(ask(&mut desk, ask_for).text, value);
        }
        assert_eq!(ask(&mut desk, "coordinates").text, "binlog.000001:4\n");
        assert_eq!(
            ask(&mut desk, "applier").text,
            "Host: vm:3306, Version: 9.7.4\n"
        );
    }
}
