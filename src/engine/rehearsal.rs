//! `--test-on-replica`: the cut-over without the swap.
//!
//! Replication is stopped before the tables are locked, so that both stand still from then on: what the
//! lock and its marker prove at that moment stays true, and the two can be compared at leisure. An
//! attempt that comes to nothing starts replication again. We stop it ourselves, or leave that to the
//! hook that is run before.

use super::usual;
use crate::config::{Config, OnReplica};
use crate::control::hooks::{Event, Runner};
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::inspect;
use crate::mysql::session::{Address, Session};
use crate::plan::names::Names;
use crate::report::Reporter;
use crate::sql::Statement;

/// What is done to replication.
pub(super) struct Rehearsal {
    address: Address,
    hooks: Option<Runner>,
    reporter: Reporter,
    /// We stop it.
    stops: bool,
    /// It is stopped, by us or by the hook.
    stopped: bool,
}

impl Rehearsal {
    /// A rehearsal, if one was asked for.
    pub(super) fn new(
        config: &Config,
        address: &Address,
        hooks: Option<Runner>,
        reporter: &Reporter,
    ) -> Option<Self> {
        let OnReplica::Test { stop } = config.topology.on_replica else {
            return None;
        };
        Some(Self {
            address: address.clone(),
            hooks,
            reporter: reporter.clone(),
            stops: stop,
            stopped: false,
        })
    }

    /// Runs the hook, stops the applier unless the hook does it, and waits until it stands still.
    ///
    /// # Errors
    /// When the hook fails, or replication doesn't stop.
    pub(super) async fn stop_replication(&mut self) -> Result<(), Fault> {
        // Whatever fails from here on, it has to be started again.
        self.stopped = true;
        if let Some(hooks) = &self.hooks {
            let ran = hooks.run(&Event::StopReplication).await;
            ran.map_err(|wrong| Fault::unexpected("stop replication", wrong))?;
        }
        let mut session = Session::open(&self.address, usual("topology", String::new())).await?;
        if self.stops {
            // It returns when the applier is done with the transaction that it is at.
            change(&mut session, "stop replication", "STOP").await?;
        }
        if self.applies(&mut session).await? {
            self.reporter.warn(
                "replication is still running: the hook that should stop it didn't, so the two tables \
                 will not stay alike",
            );
            return Ok(());
        }
        self.reporter
            .info("replication is stopped for the last refresh");
        Ok(())
    }

    /// Looks until the applier has stopped; a hook may have told it to and not waited.
    async fn applies(&self, session: &mut Session) -> Result<bool, Fault> {
        let patience = if self.stops {
            limits::REPLICA_STOP_WAIT
        } else {
            limits::WAIT_TOLD
        };
        for _ in 0..patience.as_millis() / limits::REPLICA_PAUSE.as_millis() {
            let sources = inspect::sources(session).await?;
            if !sources.iter().any(|channel| channel.applies) {
                return Ok(false);
            }
            tokio::time::sleep(limits::REPLICA_PAUSE).await;
        }
        Ok(true)
    }

    /// The tables are as they shall stay.
    pub(super) fn complete(&mut self) {
        self.stopped = false;
    }

    /// Starts replication again after an attempt that came to nothing, and runs the hook.
    pub(super) async fn start_replication(&mut self) {
        if !std::mem::take(&mut self.stopped) {
            return;
        }
        if self.stops
            && let Err(fault) = self.start().await
        {
            self.reporter.warn(format!(
                "replication could not be started again ({fault}); do it by hand: START REPLICA"
            ));
        }
        if let Some(hooks) = &self.hooks
            && let Err(wrong) = hooks.run(&Event::StartReplication).await
        {
            self.reporter.warn(wrong);
        }
    }

    async fn start(&self) -> Result<(), Fault> {
        let mut session = Session::open(&self.address, usual("topology", String::new())).await?;
        change(&mut session, "start replication", "START").await?;
        self.reporter.info("replication goes on");
        Ok(())
    }
}

/// The whole of replication is stopped, as gh-ost does it, and started. Both statements may come twice,
/// so one whose answer is lost is sent again.
async fn change(session: &mut Session, name: &'static str, verb: &str) -> Result<(), Fault> {
    let limit = limits::REPLICA_STOP_WAIT;
    let mut noun = "REPLICA";
    let mut last = Fault::lost(name);
    for _ in 0..limits::REPLICATION_TRIES {
        let text = format!("{verb} {noun}");
        match session.run_for(&Statement { name, text }, limit).await {
            Ok(_) => return Ok(()),
            // It has this name since 8.0.22.
            Err(fault) if fault.code == Some(1_064) => noun = "SLAVE",
            Err(fault) if fault.kind == FaultKind::Lost => {
                last = fault;
                session.reopen().await?;
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

/// Says at the end of a rehearsal what it has left.
pub(super) fn tell(config: &Config, names: &Names, reporter: &Reporter) {
    if matches!(config.topology.on_replica, OnReplica::Test { .. }) {
        reporter.warn(left(names));
    }
}

/// What a rehearsal leaves behind.
fn left(names: &Names) -> String {
    format!(
        "nothing was swapped: `{schema}`.`{}` and `{schema}`.`{}` are there for comparison, and \
         replication stays stopped (START REPLICA when you are done, and drop `{}`)",
        names.original,
        names.ghost,
        names.ghost,
        schema = names.schema,
    )
}
