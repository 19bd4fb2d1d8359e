//! A write load for the demo and the benchmark: it measures what an application sees of a migration.
//!
//! ```text
//! load --host 127.0.0.1 --port 3306 --user u --password p --database shop --table orders \
//!      [--connections 4] [--mode mixed|updates] [--hot-rows N] [--rate N] [--slow-ms N] \
//!      [--stop-file PATH] [--seconds N] [--report-every-ms 1000]
//! ```
//!
//! `updates` is single-row updates of `k` on random ids: of all up to the highest, or of so many hot rows
//! that are spread evenly over them; without pause, or at so many a second of all connections together.
//! Statements that take at least `--slow-ms` get a line of their own. `mixed` is inserts, updates,
//! deletes and small transactions on a table with `id`, `customer_id`, `status` and `amount`; each
//! connection changes only ids of its own share, and keeps count of what the acknowledged writes make
//! of the table, so the summary can say how many rows it must have and what their amounts must add up
//! to. That is exact only if nobody else writes.
//!
//! It ends when the stop file appears, after the given seconds, or on SIGINT or SIGTERM, and then prints
//! a summary of `key=value` lines. An error is printed at once and counted; it does not end the load.

mod meter;

use std::{
    collections::HashSet,
    env,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use meter::{Meter, milliseconds_of};
use mysql_async::{Conn, Error, Opts, OptsBuilder, Params, prelude::Queryable};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::MissedTickBehavior,
};

/// How often the end conditions are looked at.
const POLL: Duration = Duration::from_millis(50);
/// Before a lost connection is opened again, so that a stopped server isn't hammered.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

type Failure = Box<dyn std::error::Error + Send + Sync>;

// --- arguments -----------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Mixed,
    Updates,
}

#[derive(Clone, Debug)]
struct Arguments {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: String,
    table: String,
    connections: u64,
    mode: Mode,
    /// Only so many rows are updated; 0 is all of them.
    hot_rows: u64,
    /// Writes a second of all connections together; 0 is as many as they can.
    rate: u64,
    slow: Option<Duration>,
    stop_file: Option<PathBuf>,
    seconds: Option<u64>,
    report_every: Duration,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut arguments = Self {
            host: "127.0.0.1".into(),
            port: 3306,
            user: "root".into(),
            password: String::new(),
            database: String::new(),
            table: String::new(),
            connections: 4,
            mode: Mode::Mixed,
            hot_rows: 0,
            rate: 0,
            slow: None,
            stop_file: None,
            seconds: None,
            report_every: Duration::from_secs(1),
        };
        while let Some(name) = words.next() {
            let value = words
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--host" => arguments.host = value,
                "--port" => arguments.port = value.parse()?,
                "--user" => arguments.user = value,
                "--password" => arguments.password = value,
                "--database" => arguments.database = value,
                "--table" => arguments.table = value,
                "--connections" => arguments.connections = value.parse()?,
                "--mode" if value == "mixed" => arguments.mode = Mode::Mixed,
                "--mode" if value == "updates" => arguments.mode = Mode::Updates,
                "--hot-rows" => arguments.hot_rows = value.parse()?,
                "--rate" => arguments.rate = value.parse()?,
                "--slow-ms" => arguments.slow = Some(Duration::from_millis(value.parse()?)),
                "--stop-file" => arguments.stop_file = Some(value.into()),
                "--seconds" => arguments.seconds = Some(value.parse()?),
                "--report-every-ms" => {
                    arguments.report_every = Duration::from_millis(value.parse()?);
                }
                _ => return Err(format!("unknown argument {name} {value}").into()),
            }
        }
        if arguments.database.is_empty() || arguments.table.is_empty() {
            return Err("--database and --table must be given".into());
        }
        if arguments.connections == 0 || arguments.report_every.is_zero() {
            return Err("--connections and --report-every-ms must be at least 1".into());
        }
        Ok(arguments)
    }

    /// Time between two writes of one connection.
    fn pace(&self) -> Option<Duration> {
        let period = self.connections * 1_000_000 / self.rate.max(1);
        (self.rate > 0).then(|| Duration::from_micros(period.max(1)))
    }

    fn opts(&self) -> Opts {
        OptsBuilder::default()
            .ip_or_hostname(&self.host)
            .tcp_port(self.port)
            .user(Some(&self.user))
            .pass(Some(&self.password))
            .db_name(Some(&self.database))
            .prefer_socket(false)
            .tcp_nodelay(true)
            .into()
    }
}

/// A small generator of random numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % limit.max(1)
    }
}

// --- one connection ------------------------------------------------------------------------------

/// What a transaction changes; counted once it is committed.
#[derive(Default)]
struct Change {
    writes: u64,
    rows_changed: u64,
    rows_added: i64,
    cents_added: i64,
    /// An inserted row: its id and its amount in cents.
    inserted: Option<(u64, i64)>,
}

/// One connection of the load.
struct Worker {
    conn: Conn,
    arguments: Arc<Arguments>,
    meter: Arc<Meter>,
    random: Random,
    /// This worker's share of the first rows: ids that leave this remainder.
    number: u64,
    highest_id: u64,
    /// First rows that this worker deleted.
    deleted: HashSet<u64>,
    /// Rows that this worker inserted and that are still there, with their amount in cents.
    own_rows: Vec<(u64, i64)>,
}

impl Worker {
    async fn connect(
        arguments: &Arc<Arguments>,
        meter: &Arc<Meter>,
        number: u64,
        highest_id: u64,
    ) -> Result<Self, Error> {
        Ok(Self {
            conn: Conn::new(arguments.opts()).await?,
            arguments: arguments.clone(),
            meter: meter.clone(),
            random: Random(0x9E37_79B9_7F4A_7C15 ^ (number + 1)),
            number,
            highest_id,
            deleted: HashSet::new(),
            own_rows: Vec::new(),
        })
    }

    /// Works until it is told to stop. After an error it goes on, as an application would.
    async fn run(mut self, stop: Arc<AtomicBool>) {
        let mut pace = self.arguments.pace().map(|period| {
            let mut pace = tokio::time::interval(period);
            // What was missed in a stall isn't made up for: an application's users don't come twice.
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        while !stop.load(Ordering::Relaxed) {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            let result = match self.arguments.mode {
                Mode::Updates => self.update_k().await,
                Mode::Mixed => self.mixed().await,
            };
            match result {
                Ok(change) => self.count(&change),
                Err(error) => self.recover("write", &error).await,
            }
        }
        // The work is done and counted; how the connection ends changes nothing.
        drop(self.conn.disconnect().await);
    }

    fn count(&mut self, change: &Change) {
        let mut measured = self.meter.lock();
        measured.writes += change.writes;
        measured.rows_changed += change.rows_changed;
        measured.rows_added += change.rows_added;
        measured.cents_added += change.cents_added;
        drop(measured);
        self.own_rows.extend(change.inserted);
    }

    /// After an error nothing of the transaction may stay behind, or the tally would be wrong.
    async fn recover(&mut self, what: &str, error: &Error) {
        self.meter.failed(what, error);
        if self.conn.query_drop("ROLLBACK").await.is_ok() {
            return;
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
        match Conn::new(self.arguments.opts()).await {
            Ok(conn) => self.conn = conn,
            Err(error) => self.meter.failed("connect", &error),
        }
    }

    /// Sends a statement and measures the answer; returns how many rows it affected.
    async fn send(
        &mut self,
        sql: String,
        parameters: impl Into<Params> + Send,
    ) -> Result<u64, Error> {
        let sent = Instant::now();
        let result = self.conn.exec_drop(sql, parameters).await;
        self.meter.answered(sent);
        result.map(|()| self.conn.affected_rows())
    }

    /// The same for BEGIN and COMMIT, which can't be prepared everywhere.
    async fn send_text(&mut self, sql: &str) -> Result<(), Error> {
        let sent = Instant::now();
        let result = self.conn.query_drop(sql).await;
        self.meter.answered(sent);
        result
    }

    async fn update_k(&mut self) -> Result<Change, Error> {
        let id = match self.arguments.hot_rows {
            0 => 1 + self.random.below(self.highest_id),
            hot => 1 + self.random.below(hot) * (self.highest_id / hot).max(1),
        };
        let sql = format!(
            "UPDATE `{}` SET k = k + 1 WHERE id = ?",
            self.arguments.table
        );
        let rows_changed = self.send(sql, (id,)).await?;
        Ok(Change {
            writes: 1,
            rows_changed,
            ..Change::default()
        })
    }

    async fn mixed(&mut self) -> Result<Change, Error> {
        match self.random.below(100) {
            0..30 => self.place_order().await,
            30..75 => self.change_order().await,
            75..85 => self.cancel_own_order().await,
            85..90 => self.delete_first_order().await,
            _ => self.move_amount().await,
        }
    }

    async fn place_order(&mut self) -> Result<Change, Error> {
        let cents = 100 + i64::try_from(self.random.below(50_000)).unwrap_or(0);
        let customer = 1 + self.random.below(50_000);
        let sql = format!(
            "INSERT INTO `{}` (customer_id, status, amount) VALUES (?, 'new', CAST(? AS DECIMAL(12,2)))",
            self.arguments.table
        );
        self.send(sql, (customer, decimal(cents))).await?;
        let inserted = self.conn.last_insert_id().map(|id| (id, cents));
        Ok(Change {
            writes: 1,
            rows_changed: 1,
            rows_added: 1,
            cents_added: cents,
            inserted,
        })
    }

    /// An id of this worker's share of the first rows which is still there.
    fn first_row(&mut self) -> u64 {
        let connections = self.arguments.connections;
        loop {
            let id =
                1 + self.random.below(self.highest_id / connections) * connections + self.number;
            if id <= self.highest_id && !self.deleted.contains(&id) {
                return id;
            }
        }
    }

    async fn add_to_amount(&mut self, id: u64, cents: i64) -> Result<Change, Error> {
        let sql = format!(
            "UPDATE `{}` SET amount = amount + CAST(? AS DECIMAL(12,2)), status = ELT(?, 'paid', 'sent', 'closed')
             WHERE id = ?",
            self.arguments.table
        );
        let status = 1 + self.random.below(3);
        let rows_changed = self.send(sql, (decimal(cents), status, id)).await?;
        // A row that isn't there gets no amount: loads with holes in the ids stay exact.
        let cents_added = if rows_changed == 1 { cents } else { 0 };
        Ok(Change {
            writes: 1,
            rows_changed,
            cents_added,
            ..Change::default()
        })
    }

    async fn change_order(&mut self) -> Result<Change, Error> {
        let id = self.first_row();
        let cents = 1 + i64::try_from(self.random.below(500)).unwrap_or(0);
        self.add_to_amount(id, cents).await
    }

    /// Deletes a row that this worker inserted, or inserts one if there is none.
    async fn cancel_own_order(&mut self) -> Result<Change, Error> {
        let count = u64::try_from(self.own_rows.len()).unwrap_or(0);
        let index = usize::try_from(self.random.below(count)).unwrap_or(0);
        let Some((id, cents)) = self.own_rows.get(index).copied() else {
            return self.place_order().await;
        };
        let sql = format!("DELETE FROM `{}` WHERE id = ?", self.arguments.table);
        let rows_changed = self.send(sql, (id,)).await?;
        self.own_rows.swap_remove(index);
        // If the row is gone that's a loss, which the expected numbers must show. So no look at
        // rows_changed here.
        Ok(Change {
            writes: 1,
            rows_changed,
            rows_added: -1,
            cents_added: -cents,
            inserted: None,
        })
    }

    /// Reads the amount of a row and deletes it, in one transaction.
    async fn delete_first_order(&mut self) -> Result<Change, Error> {
        let id = self.first_row();
        let table = self.arguments.table.clone();
        self.send_text("BEGIN").await?;
        let sent = Instant::now();
        let cents: Option<i64> = self
            .conn
            .exec_first(
                format!(
                    "SELECT CAST(amount * 100 AS SIGNED) FROM `{table}` WHERE id = ? FOR UPDATE"
                ),
                (id,),
            )
            .await?;
        self.meter.answered(sent);
        let rows_changed = self
            .send(format!("DELETE FROM `{table}` WHERE id = ?"), (id,))
            .await?;
        self.send_text("COMMIT").await?;
        self.deleted.insert(id);
        let rows_added = if cents.is_some() { -1 } else { 0 };
        let cents_added = -cents.unwrap_or(0);
        Ok(Change {
            writes: 1,
            rows_changed,
            rows_added,
            cents_added,
            inserted: None,
        })
    }

    /// Moves an amount from one row to another in one transaction. The order of the ids keeps
    /// transactions of the load from waiting for each other.
    async fn move_amount(&mut self) -> Result<Change, Error> {
        let mut ids = [self.first_row(), self.first_row()];
        ids.sort_unstable();
        let cents = 1 + i64::try_from(self.random.below(1000)).unwrap_or(0);
        self.send_text("BEGIN").await?;
        let first = self.add_to_amount(ids[0], -cents).await?;
        let second = self.add_to_amount(ids[1], cents).await?;
        self.send_text("COMMIT").await?;
        Ok(Change {
            writes: 2,
            rows_changed: first.rows_changed + second.rows_changed,
            cents_added: first.cents_added + second.cents_added,
            ..Change::default()
        })
    }
}

/// Cents as the text of a decimal number.
fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

// --- the run -------------------------------------------------------------------------------------

/// The table before the first write.
struct Start {
    highest_id: u64,
    rows: i64,
    cents: i64,
}

async fn look_at_table(arguments: &Arguments) -> Result<Start, Failure> {
    let mut conn = Conn::new(arguments.opts()).await?;
    let table = &arguments.table;
    let highest_id: Option<u64> = conn
        .query_first(format!("SELECT MAX(id) FROM `{table}`"))
        .await?
        .flatten();
    let (rows, cents) = match arguments.mode {
        Mode::Updates => (0, 0),
        Mode::Mixed => conn
            .query_first(format!(
                "SELECT COUNT(*), CAST(COALESCE(SUM(amount), 0) * 100 AS SIGNED) FROM `{table}`"
            ))
            .await?
            .ok_or("no answer to COUNT(*)")?,
    };
    conn.disconnect().await?;
    let highest_id = highest_id.unwrap_or(0);
    if highest_id < arguments.connections {
        return Err(format!(
            "table {table} needs at least {} rows",
            arguments.connections
        )
        .into());
    }
    Ok(Start {
        highest_id,
        rows,
        cents,
    })
}

/// Waits for the end, and prints a line of numbers at every interval until then.
async fn report_until_end(
    arguments: &Arguments,
    meter: &Meter,
    start: Instant,
) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut poll = tokio::time::interval(POLL);
    let mut report = tokio::time::interval(arguments.report_every);
    // A late report must not be followed by a short one.
    report.set_missed_tick_behavior(MissedTickBehavior::Delay);
    report.tick().await;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = poll.tick() => {
                let stopped = arguments.stop_file.as_ref().is_some_and(|file| file.exists());
                let over = arguments.seconds.is_some_and(|seconds| start.elapsed().as_secs() >= seconds);
                if stopped || over {
                    return Ok(());
                }
            }
            _ = report.tick() => meter.report(),
        }
    }
}

fn print_summary(arguments: &Arguments, start: &Start, meter: &Meter, took: Duration) {
    let measured = meter.lock();
    println!("writes={}", measured.writes);
    println!("rows_changed={}", measured.rows_changed);
    println!("errors={}", measured.errors.all());
    println!("deadlocks={}", measured.errors.deadlocks);
    println!("lock_waits={}", measured.errors.lock_waits);
    println!("p50_us={}", measured.latencies.quantile(500));
    println!("p99_us={}", measured.latencies.quantile(990));
    println!(
        "longest_stall_ms={:.1}",
        measured.longest.as_secs_f64() * 1000.0
    );
    println!(
        "longest_stall_at_ms={}",
        milliseconds_of(measured.longest_at)
    );
    println!("seconds={:.3}", took.as_secs_f64());
    if arguments.mode == Mode::Mixed {
        println!("expected_rows={}", start.rows + measured.rows_added);
        println!(
            "expected_sum={}",
            decimal(start.cents + measured.cents_added)
        );
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let arguments = Arc::new(arguments);
    let first = look_at_table(&arguments).await?;
    let meter = Arc::new(Meter::new(arguments.slow));
    let stop = Arc::new(AtomicBool::new(false));
    let mut workers: Vec<Worker> = Vec::new();
    for number in 0..arguments.connections {
        workers.push(Worker::connect(&arguments, &meter, number, first.highest_id).await?);
    }
    let start = Instant::now();
    let tasks: Vec<JoinHandle<()>> = workers
        .into_iter()
        .map(|worker| tokio::spawn(worker.run(stop.clone())))
        .collect();
    let end = report_until_end(&arguments, &meter, start).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await?;
    }
    end?;
    // What came after the last one.
    meter.report();
    print_summary(&arguments, &first, &meter, start.elapsed());
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse(env::args().skip(1)) {
        Ok(arguments) => run(arguments).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
