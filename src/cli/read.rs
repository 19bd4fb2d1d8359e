//! From the words of the command line to a checked [`Config`], or to all that is wrong with them.

mod back;
mod desired;
mod filled;
mod measured;
mod plans;

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::flags::{self, Effect, Flag, Kind};
use super::option_file::OptionFile;
use crate::config::{
    Conf, Config, Control, CutOver, Hooks, NOTED_VARIABLE, OnReplica, PASSWORD_VARIABLE, RowCount,
    Threshold, Throttle, Tls, TlsMode, Topology, default_socket,
};
use crate::control::http::Target;
use crate::control::window::Window;
use crate::core::verify::extent::{Extent, Wanted};
use crate::limits;
use crate::mysql::address::PASSWORD_BYTES_MAX;
use crate::mysql::tls;
use crate::plan::alter::create::Create;
use crate::plan::batch::Noted;
use crate::plan::blockers::KillPolicy;
use crate::plan::conversion::Misfits;
use crate::plan::indexes::Deferral;
use crate::plan::triggers::Suffix;
use crate::plan::{Companions, Earlier, NullInKey, Renames, Wishes, alter};
use crate::report::{Format, Level};

/// What was given, flag by flag. Problems are collected, not returned, so that all are told at once.
pub(super) struct Given<'a> {
    matches: &'a ArgMatches,
    file: OptionFile,
    problems: RefCell<Vec<String>>,
    /// What `--schema` names, once it was read.
    wanted: OnceCell<Option<Create>>,
}

impl<'a> Given<'a> {
    pub(super) fn new(matches: &'a ArgMatches) -> Self {
        let conf = matches
            .get_one::<String>("conf")
            .filter(|path| !path.is_empty());
        let loaded = conf.map(|path| OptionFile::load(Path::new(path)));
        let (file, problem) = match loaded {
            Some(Ok(file)) => (file, None),
            Some(Err(problem)) => (OptionFile::default(), Some(problem)),
            None => (OptionFile::default(), None),
        };
        Self {
            matches,
            file,
            problems: RefCell::new(problem.into_iter().collect()),
            wanted: OnceCell::new(),
        }
    }

    /// The whole configuration.
    ///
    /// # Errors
    /// Every problem.
    pub(super) fn config(&self) -> Result<Config, Vec<String>> {
        self.values_fit();
        self.contradictions();
        let checking = self.is_on("check-flag");
        let (database, table) = self.which_table(checking);
        let config = self.assemble(database, table);
        let problems = std::mem::take(&mut *self.problems.borrow_mut());
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }

    /// The configuration of a command that only connects and names a schema and a table, if any; `own` are
    /// the flags of a migration that it has besides.
    ///
    /// # Errors
    /// Every problem.
    pub(super) fn connection(&self, own: &[&str]) -> Result<Config, Vec<String>> {
        self.values_fit();
        self.contradictions();
        let connecting = |flag: &Flag| {
            let server = flags::GROUPS.first().map_or(&[][..], |group| group.flags);
            server.iter().any(|other| other.name == flag.name)
                || matches!(flag.name, "database" | "table")
                || own.contains(&flag.name)
        };
        for flag in flags::all().filter(|flag| self.was_given(flag.name) && !connecting(flag)) {
            self.problem(format!("--{} is no flag of this command", flag.name));
        }
        let (database, table) = (self.text("database"), self.text("table"));
        if database.is_empty() && !table.is_empty() {
            self.problem("--table needs --database");
        }
        let config = self.assemble(database, table);
        let problems = std::mem::take(&mut *self.problems.borrow_mut());
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }

    fn problem(&self, text: impl Into<String>) {
        self.problems.borrow_mut().push(text.into());
    }

    fn was_given(&self, name: &str) -> bool {
        self.matches.value_source(name) == Some(ValueSource::CommandLine)
    }

    /// The value as text; empty when there is none. What the flags leave open the option file says.
    fn text(&self, name: &str) -> String {
        if let Some(value) = self.file.get(name).filter(|_| !self.was_given(name)) {
            return match name {
                "ssl-mode" => value.to_ascii_lowercase().replace('_', "-"),
                _ => value.to_owned(),
            };
        }
        let value = self.matches.get_one::<String>(name);
        value.cloned().unwrap_or_default()
    }

    pub(super) fn optional(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        self.optional(name).map(PathBuf::from)
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        let default = flags::all().any(|flag| flag.name == name && flag.default == "true");
        match self.optional(name) {
            Some(text) => go_bool(&text).unwrap_or(false),
            None => default,
        }
    }

    fn whole(&self, name: &str) -> Option<u64> {
        self.optional(name)?.parse().ok()
    }

    fn milliseconds(&self, name: &str) -> Duration {
        Duration::from_millis(self.whole(name).unwrap_or_default())
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.whole(name).unwrap_or_default())
    }

    /// A time of which 0 means none.
    fn if_any(duration: Duration) -> Option<Duration> {
        Some(duration).filter(|duration| !duration.is_zero())
    }

    /// Each value is one that its flag can have.
    fn values_fit(&self) {
        for flag in flags::all() {
            let in_file = self.file.get(flag.name).is_some();
            if !self.was_given(flag.name) && !in_file {
                continue;
            }
            if let Some(wrong) = misfit(flag, &self.text(flag.name)) {
                self.problem(wrong);
            }
        }
        let (Some(place), false) = (&self.file.socket, self.is_addressed()) else {
            return;
        };
        self.problem(format!(
            "--conf: {place}: sockets aren't used, because a tunnel's end has another server's; give \
             --host and --port"
        ));
    }

    /// Somebody said where the server is.
    fn is_addressed(&self) -> bool {
        let said = |name| self.was_given(name) || self.file.get(name).is_some();
        said("host") || said("port")
    }

    /// Flags accepted without effect. `--allow-on-master` isn't worth a word: the primary is where most
    /// runs are.
    fn notes(&self) -> Vec<String> {
        let mut notes = self.file.notes.clone();
        let without_effect = flags::all()
            .filter(|flag| self.was_given(flag.name) && flag.name != "allow-on-master")
            .filter_map(|flag| match flag.effect {
                Effect::Nothing(why) => Some(format!("--{} has no effect: {why}", flag.name)),
                Effect::Acts => None,
            });
        notes.extend(without_effect);
        notes.extend(self.without_effect_back());
        if let Some(place) = &self.file.socket {
            notes.push(format!(
                "--conf: the socket has no effect, connections go over TCP ({place})"
            ));
        }
        notes
    }

    fn contradictions(&self) {
        const EXCLUSIVE: [(&str, &str); 6] = [
            ("resume", "no-resume"),
            ("allow-on-master", "test-on-replica"),
            ("allow-on-master", "migrate-on-replica"),
            ("migrate-on-replica", "test-on-replica"),
            ("switch-to-rbr", "assume-rbr"),
            ("approve-renamed-columns", "skip-renamed-columns"),
        ];
        for (one, other) in EXCLUSIVE {
            if self.is_on(one) && self.is_on(other) {
                self.problem(format!("--{one} and --{other} are mutually exclusive"));
            }
        }
        if self.is_on("test-on-replica-skip-replica-stop") && !self.is_on("test-on-replica") {
            self.problem(
                "--test-on-replica-skip-replica-stop requires --test-on-replica to be enabled",
            );
        }
        const NEEDS: [(&str, &str); 6] = [
            ("master-user", "assume-master-host"),
            ("master-password", "assume-master-host"),
            ("ssl-ca", "ssl"),
            ("ssl-cert", "ssl"),
            ("ssl-key", "ssl"),
            ("ssl-allow-insecure", "ssl"),
        ];
        for (flag, needed) in NEEDS {
            let tls_otherwise = needed == "ssl" && self.optional("ssl-mode").is_some();
            let given = flag == "ssl-allow-insecure" || self.file.get(flag).is_none();
            if self.is_set(flag) && given && !self.is_set(needed) && !tls_otherwise {
                self.problem(format!("--{flag} requires --{needed}"));
            }
        }
        if self.is_on("ssl") && self.was_given("ssl-mode") && self.text("ssl-mode") == "disabled" {
            self.problem("--ssl and --ssl-mode=disabled are mutually exclusive");
        }
        if self.is_on("ssl-allow-insecure") && self.text("ssl-mode").starts_with("verify-") {
            self.problem("--ssl-allow-insecure and --ssl-mode=verify-… are mutually exclusive");
        }
        if self.is_set("ssl-cert") != self.is_set("ssl-key") {
            self.problem("--ssl-cert and --ssl-key belong together");
        }
        self.verify_contradictions();
        self.shortcuts_fit();
        self.schema_fits();
        self.revert_fits();
        let suffix = self.text("trigger-suffix");
        if !suffix.is_empty() && !self.is_on("include-triggers") {
            self.problem("--trigger-suffix cannot be used without --include-triggers");
        }
        if suffix.is_empty() && self.is_on("include-triggers") && !self.is_on("check-flag") {
            self.problem("--trigger-suffix must be used with --include-triggers");
        }
        if !suffix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            self.problem("--trigger-suffix may have letters, digits and _ only");
        }
        if self
            .whole("force-cut-over-after")
            .is_some_and(|after| after > 0)
            && self.text("kill-blockers") == "none"
        {
            self.problem("--force-cut-over-after needs --kill-blockers=idle, queries or all");
        }
    }

    fn verify_contradictions(&self) {
        let verify = self.text("verify");
        if self.was_given("verify-sample-percent") && verify != "sample" {
            self.problem("--verify-sample-percent requires --verify=sample");
        }
        if self.is_on("verify-repair") && verify == "off" {
            self.problem("--verify-repair and --verify=off are mutually exclusive");
        }
    }

    /// Given with something behind it, or switched on.
    fn is_set(&self, name: &str) -> bool {
        let switch = flags::all().any(|flag| flag.name == name && flag.kind == Kind::Switch);
        if switch {
            self.is_on(name)
        } else {
            self.optional(name).is_some()
        }
    }

    /// Schema and table, from their flags or from the ALTER.
    fn which_table(&self, checking: bool) -> (String, String) {
        let text = self.text("alter");
        let wanted = self.wanted();
        let alter = if text.trim().is_empty() {
            if !checking && !self.is_on("revert") && !self.is_set("schema") {
                self.problem("--alter must be provided and statement must not be empty");
            }
            alter::Alter::default()
        } else {
            alter::parse(&text).unwrap_or_else(|error| {
                self.problem(format!("--alter can't be read: {error}"));
                alter::Alter::default()
            })
        };
        let database = self
            .optional("database")
            .or(alter.schema)
            .or(wanted.and_then(|create| create.schema.clone()))
            .unwrap_or_default();
        let table = self
            .optional("table")
            .or(alter.table)
            .or(wanted.map(|create| create.table.clone()))
            .unwrap_or_default();
        for (what, value) in [("database", &database), ("table", &table)] {
            if value.is_empty() && !checking {
                self.problem(format!(
                    "--{what} must be provided and {what} name must not be empty, or --alter must \
                     specify {what} name"
                ));
            }
        }
        (database, table)
    }

    /// The password, and the option file as far as it is to be read again.
    fn password(&self) -> (String, Option<Conf>) {
        let variable = std::env::var(PASSWORD_VARIABLE).ok();
        let password = match &variable {
            Some(variable) if !self.was_given("password") => variable.clone(),
            _ => self.text("password"),
        };
        let conf = self.file("conf").map(|path| Conf {
            path,
            user: !self.was_given("user"),
            password: !self.was_given("password") && variable.is_none() && !self.is_on("ask-pass"),
        });
        (password, conf.filter(|conf| conf.user || conf.password))
    }

    pub(super) fn assemble(&self, database: String, table: String) -> Config {
        let (password, conf) = self.password();
        let tls = self.tls();
        if password.len() > PASSWORD_BYTES_MAX && tls.mode == TlsMode::Disabled {
            self.problem(format!(
                "passwords longer than {PASSWORD_BYTES_MAX} bytes need TLS"
            ));
        }
        Config {
            host: self.text("host"),
            port: port(self.whole("port")),
            user: self.text("user"),
            password,
            ask_password: self.is_on("ask-pass"),
            conf,
            tls,
            connect_timeout: self
                .optional("mysql-timeout")
                .and_then(|text| text.parse().ok())
                .filter(|seconds| *seconds > 0.0)
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            dump_failures_max: self
                .whole("binlogsyncer-max-reconnect-attempts")
                .and_then(|count| u32::try_from(count).ok())
                .filter(|count| *count > 0),
            topology: self.topology(),
            alter: self.alter(),
            wanted: self.wanted_table(),
            seen: None,
            noted: std::env::var(NOTED_VARIABLE)
                .ok()
                .and_then(|text| Noted::read(&text)),
            revert: self.optional("old-table").filter(|_| self.is_on("revert")),
            revert_window: self.revert_window(),
            execute: self.is_on("execute"),
            chunk_rows: self.whole("chunk-size"),
            row_count: self.row_count(),
            heartbeat: self.milliseconds("heartbeat-interval-millis"),
            throttle: self.throttle(),
            verify: self.verify(),
            compare_behind_copy: true,
            cut_over: self.cut_over(),
            control: self.control(&database, &table),
            hooks: self.hooks(),
            panic_file: self.file("panic-flag-file"),
            setup_instruments: self.is_on("allow-setup-metadata-lock-instruments"),
            drop_old: self.is_on("ok-to-drop-table"),
            wishes: self.wishes(),
            triggers: self.forth("include-triggers").then(|| Suffix {
                text: self.text("trigger-suffix"),
                comes_off: self.is_on("remove-trigger-suffix-if-exists"),
            }),
            backfills: self.backfills(),
            shortcuts: self.shortcuts(),
            defer_indexes: self.defer_indexes(),
            checkpoint: self.checkpoint(),
            timestamp_old: self.is_on("timestamp-old-table"),
            base_name: self.optional("force-table-names"),
            copy_workers: workers(self.whole("copy-workers")),
            refresh_workers: workers(self.whole("refresh-workers")),
            level: self.level(),
            format: self.format(),
            history: self.history(&database),
            metrics: self.metrics(),
            notes: self.notes(),
            database,
            table,
        }
    }

    fn row_count(&self) -> RowCount {
        match (
            self.is_on("exact-rowcount"),
            self.is_on("concurrent-rowcount"),
        ) {
            (false, _) => RowCount::Estimate,
            (true, true) => RowCount::Concurrent,
            (true, false) => RowCount::Before,
        }
    }

    fn format(&self) -> Format {
        match self.text("log-format").as_str() {
            "json" => Format::Json,
            _ => Format::Text,
        }
    }

    fn level(&self) -> Level {
        match (self.is_on("quiet"), self.is_on("debug")) {
            (true, _) => Level::Error,
            (false, true) => Level::Debug,
            (false, false) => Level::Info,
        }
    }

    fn history(&self, database: &str) -> Option<String> {
        let schema = self.optional("history-schema");
        if let Some(schema) = schema.as_deref().filter(|name| name.chars().count() > 64) {
            self.problem(format!(
                "--history-schema: {schema} is longer than 64 characters"
            ));
        }
        if self.is_on("no-history") {
            if schema.is_some() {
                self.problem("--history-schema and --no-history are mutually exclusive");
            }
            return None;
        }
        Some(schema.unwrap_or_else(|| database.to_owned()))
    }

    fn checkpoint(&self) -> Option<Duration> {
        let every = Self::if_any(self.seconds("checkpoint-seconds"));
        self.is_on("checkpoint")
            .then(|| every.unwrap_or(limits::CHECKPOINT_EVERY))
    }

    fn defer_indexes(&self) -> Deferral {
        match self.text("defer-secondary-indexes").as_str() {
            "on" => Deferral::On,
            "off" => Deferral::Off,
            _ => Deferral::Auto,
        }
    }

    fn verify(&self) -> Wanted {
        let percent = self.whole("verify-sample-percent");
        Wanted {
            extent: match self.text("verify").as_str() {
                "sample" => Extent::Sample {
                    percent: percent
                        .and_then(|percent| u8::try_from(percent).ok())
                        .unwrap_or(limits::SAMPLE_PERCENT),
                    seed: 0,
                },
                "off" => Extent::Off,
                _ => Extent::Full,
            },
            repair: self.is_on("verify-repair"),
        }
    }

    fn wishes(&self) -> Wishes {
        Wishes {
            execute: self.is_on("execute"),
            drop_ghost_first: self.is_on("initially-drop-ghost-table"),
            drop_old_first: self.is_on("initially-drop-old-table"),
            earlier: match (self.is_on("resume"), self.is_on("no-resume")) {
                (true, _) => Earlier::Required,
                (false, true) => Earlier::Dropped,
                (false, false) => Earlier::Continued,
            },
            misfits: if self.is_on("skip-strict-mode") {
                Misfits::Adjusted
            } else {
                Misfits::Refused
            },
            zero_dates: self.is_on("allow-zero-in-date"),
            renames: if self.is_on("skip-renamed-columns") {
                Renames::Skipped
            } else {
                Renames::Followed
            },
            null_in_key: if self.is_on("allow-nullable-unique-key") {
                NullInKey::Watched
            } else {
                NullInKey::Refused
            },
            triggers: self.companions("include-triggers"),
            foreign_keys: self.companions("discard-foreign-keys"),
        }
    }

    fn companions(&self, flag: &str) -> Companions {
        if self.forth(flag) {
            Companions::DealtWith
        } else {
            Companions::Refused
        }
    }

    fn tls(&self) -> Tls {
        // Flags win over the file: --ssl isn't weakened by an ssl-mode there.
        let by_flag = self.is_on("ssl") && !self.was_given("ssl-mode");
        let word = Some(self.text("ssl-mode")).filter(|_| !by_flag);
        let in_file = |name| self.file.get(name).is_some();
        let mode = match word.as_deref().unwrap_or_default() {
            "disabled" => TlsMode::Disabled,
            "preferred" => TlsMode::Preferred,
            "required" => TlsMode::Required,
            "verify-ca" => TlsMode::VerifyCa,
            "verify-identity" => TlsMode::VerifyIdentity,
            _ if self.is_on("ssl-allow-insecure") => TlsMode::Required,
            _ if self.is_on("ssl") => TlsMode::VerifyIdentity,
            // As the mysql client takes an option file that has certificates and no mode.
            _ if in_file("ssl-ca") => TlsMode::VerifyCa,
            _ if in_file("ssl-cert") => TlsMode::Required,
            _ => TlsMode::Disabled,
        };
        let tls = Tls {
            mode,
            ca: self.file("ssl-ca"),
            identity: self.file("ssl-cert").zip(self.file("ssl-key")),
        };
        for problem in tls::problems(&tls) {
            self.problem(problem);
        }
        tls
    }

    fn topology(&self) -> Topology {
        let on_replica = if self.is_on("test-on-replica") {
            OnReplica::Test {
                stop: !self.is_on("test-on-replica-skip-replica-stop"),
            }
        } else if self.is_on("migrate-on-replica") {
            OnReplica::Migrate
        } else {
            OnReplica::Follow
        };
        let primary = self.optional("assume-master-host");
        Topology {
            primary: primary.and_then(|text| self.address("assume-master-host", &text)),
            primary_account: self
                .optional("master-user")
                .map(|user| (user, self.text("master-password"))),
            gtid: self.is_on("gtid"),
            on_replica,
            co_primaries: self.is_on("allow-master-master"),
            unseen_replication: self.is_on("tungsten"),
        }
    }

    fn throttle(&self) -> Throttle {
        let replicas = self.text("throttle-control-replicas");
        Throttle {
            lag_max: self.milliseconds("max-lag-millis"),
            control_replicas: replicas
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .filter_map(|text| self.address("throttle-control-replicas", text))
                .collect(),
            discover_replicas: self.is_on("discover-replicas"),
            query: self.optional("throttle-query"),
            http: self.url("throttle-http"),
            http_interval: self.milliseconds("throttle-http-interval-millis"),
            http_timeout: self.milliseconds("throttle-http-timeout-millis"),
            ignore_http_errors: self.is_on("ignore-http-errors"),
            file: self.file("throttle-flag-file"),
            additional_file: self.file("throttle-additional-flag-file"),
            max_load: self.thresholds("max-load"),
            critical_load: self.thresholds("critical-load"),
            critical_interval: self.milliseconds("critical-load-interval-millis"),
            critical_hibernate: Self::if_any(self.seconds("critical-load-hibernate-seconds")),
            nice_ratio: self.text("nice-ratio").parse().unwrap_or_default(),
        }
    }

    fn cut_over(&self) -> CutOver {
        CutOver {
            lock_held_max: self.seconds("cut-over-lock-timeout-seconds"),
            pause_max: self.seconds("exponential-backoff-max-interval"),
            postpone_file: self.file("postpone-cut-over-flag-file"),
            window: self.window(),
            plans: self.plans(),
            force_after: Self::if_any(self.seconds("force-cut-over-after")),
            kill: match self.text("kill-blockers").as_str() {
                "idle" => KillPolicy::Idle,
                "queries" => KillPolicy::Queries,
                "all" => KillPolicy::All,
                _ => KillPolicy::Nobody,
            },
        }
    }

    fn window(&self) -> Option<Window> {
        let parsed = Window::parse(&self.optional("cut-over-window")?);
        parsed
            .map_err(|wrong| self.problem(format!("--cut-over-window: {wrong}")))
            .ok()
    }

    fn control(&self, database: &str, table: &str) -> Control {
        let socket = self
            .file("serve-socket-file")
            .unwrap_or_else(|| default_socket(database, table));
        let tcp = self.whole("serve-tcp-port").filter(|port| *port > 0);
        Control {
            socket,
            socket_by_default: self.optional("serve-socket-file").is_none(),
            drop_socket_first: self.is_on("initially-drop-socket-file"),
            tcp: tcp.map(|number| (self.text("serve-tcp-host"), port(Some(number)))),
            named_cut_over: self.is_on("force-named-cut-over"),
            named_panic: self.is_on("force-named-panic"),
        }
    }

    fn hooks(&self) -> Hooks {
        Hooks {
            path: self.file("hooks-path"),
            hint: self.text("hooks-hint"),
            hint_owner: self.text("hooks-hint-owner"),
            hint_token: self.text("hooks-hint-token"),
            status_interval: self.seconds("hooks-status-interval"),
            timeout: self.seconds("hooks-timeout"),
        }
    }

    fn address(&self, flag: &str, text: &str) -> Option<(String, u16)> {
        let parsed = parse_address(text);
        if parsed.is_none() {
            self.problem(format!("--{flag}: {text} is not host or host:port"));
        }
        parsed
    }

    fn url(&self, flag: &str) -> Option<String> {
        let url = self.optional(flag)?;
        if let Err(wrong) = Target::parse(&url) {
            self.problem(format!("--{flag} {wrong}"));
        }
        Some(url)
    }

    fn thresholds(&self, flag: &str) -> Vec<Threshold> {
        parse_thresholds(&self.text(flag)).unwrap_or_else(|wrong| {
            self.problem(format!("--{flag}: Error parsing load condition: {wrong}"));
            Vec::new()
        })
    }
}

fn port(number: Option<u64>) -> u16 {
    number
        .and_then(|number| u16::try_from(number).ok())
        .unwrap_or(3_306)
}

fn workers(number: Option<u64>) -> usize {
    number
        .and_then(|number| usize::try_from(number).ok())
        .unwrap_or(2)
        .max(1)
}

/// What Go's `strconv.ParseBool` takes.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Why a value isn't one that its flag can have.
fn misfit(flag: &Flag, text: &str) -> Option<String> {
    let name = flag.name;
    match flag.kind {
        Kind::Switch => go_bool(text)
            .is_none()
            .then(|| format!("--{name} is true or false, not {text}")),
        Kind::Whole(least, most) => match text.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => None,
            Ok(_) => Some(format!(
                "--{name} must be between {least} and {most}, not {text}"
            )),
            Err(_) => Some(format!("--{name} must be a whole number, not {text}")),
        },
        Kind::Number(least, most) => match text.parse::<f64>() {
            Ok(number) if (least..=most).contains(&number) => None,
            Ok(_) => Some(format!(
                "--{name} must be between {least} and {most}, not {text}"
            )),
            Err(_) => Some(format!("--{name} must be a number, not {text}")),
        },
        Kind::Word(words) if !words.contains(&text) => Some(if name == "cut-over" {
            format!("Unknown cut-over: {text}")
        } else {
            format!(
                "--{name} is one of {}, not {text}",
                words.join(", ").trim_start_matches(", ")
            )
        }),
        Kind::Word(_) | Kind::Text | Kind::Secret | Kind::Texts => None,
    }
}

/// `host`, `host:port` or `[address]:port`; port 3306 by default.
pub(crate) fn parse_address(text: &str) -> Option<(String, u16)> {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = match rest.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if rest.is_empty() => 3_306,
            None => return None,
        };
        return Some((host.to_owned(), port));
    }
    match text.split_once(':') {
        Some((host, port)) if !host.is_empty() => Some((host.to_owned(), port.parse().ok()?)),
        Some(_) => None,
        None if text.is_empty() => None,
        None => Some((text.to_owned(), 3_306)),
    }
}

/// `Threads_running=50,Threads_connected=500`; an empty text is no threshold.
///
/// # Errors
/// The first condition that isn't one.
pub(crate) fn parse_thresholds(text: &str) -> Result<Vec<Threshold>, String> {
    let conditions = text
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    conditions
        .map(|condition| {
            let (variable, limit) = condition.split_once('=').ok_or(condition)?;
            let limit = limit.trim().parse().map_err(|_| condition)?;
            let variable = variable.trim().to_owned();
            let plain = variable
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_');
            if variable.is_empty() || !plain {
                return Err(condition);
            }
            Ok(Threshold { variable, limit })
        })
        .collect::<Result<Vec<Threshold>, &str>>()
        .map_err(str::to_owned)
}
