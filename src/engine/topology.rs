//! Where a run works: on the server that was named, or on the primary above it, whose changes are then
//! read from the named server's log.
//!
//! Looks only; what it finds is judged in [`crate::plan::topology`].

use std::sync::Arc;

use super::clerk::marker_of;
use super::clock::Clock;
use super::{Early, usual};
use crate::config::{Config, OnReplica, Topology};
use crate::core::event::Marker;
use crate::limits;
use crate::mysql::classify::Fault;
use crate::mysql::inspect;
use crate::mysql::session::{Account, Address, Session};
use crate::plan::Refusal;
use crate::plan::inspection::{Log, Server, Setting, Site};
use crate::plan::names::Names;
use crate::plan::privileges::Duties;
use crate::plan::topology::{self, Link};
use crate::report::Reporter;
use crate::sql::helpers::MARKER_ROW;
use crate::sql::{Statement, qualified};

/// Where a run works.
#[derive(Clone)]
pub(super) struct Route {
    /// The server that is written to.
    pub written: Address,
    /// The replica whose log is followed, if it isn't that server's own.
    pub followed: Option<Arc<Followed>>,
    /// What is asked of the server that is written to.
    pub setting: Setting,
}

/// A replica whose log is followed.
pub(super) struct Followed {
    /// The replica.
    pub address: Address,
    /// What it is.
    pub server: Server,
}

/// Finds out where to work. Everything that speaks against the way there is refused.
pub(super) async fn find(
    config: &Config,
    names: &Names,
    named: &Address,
    reporter: &Reporter,
) -> Result<Route, Early> {
    let wanted = &config.topology;
    let setting = Setting {
        gtid: wanted.gtid,
        ..Setting::default()
    };
    let here = |setting| Route {
        written: named.clone(),
        followed: None,
        setting,
    };
    let mut session = Session::open(named, usual("main", String::new())).await?;
    let sources = inspect::sources(&mut session).await?;
    drop(session);
    if wanted.on_replica != OnReplica::Follow {
        return on_replica(wanted, sources.is_empty(), reporter).map(|(site, stops)| {
            here(Setting {
                site,
                stops_replication: stops,
                ..setting
            })
        });
    }
    if sources.is_empty() && wanted.primary.is_none() {
        return Ok(here(setting));
    }
    let replica = look(named).await?;
    let (written, chain) = match &wanted.primary {
        Some((host, port)) => given(wanted, named, (host, *port), &replica).await?,
        None => walk(wanted, named, &replica).await?,
    };
    let primary = chain.last().unwrap_or(&replica);
    let site = site_of(primary, wanted)?;
    if primary.uuid == replica.uuid {
        return Ok(here(Setting { site, ..setting }));
    }
    speaks_against(config, names, named, &replica, &chain).await?;
    reporter.info(format!(
        "following the replica {}:{}, writing to the primary {}:{}",
        named.host, named.port, written.host, written.port
    ));
    Ok(Route {
        written,
        followed: Some(Arc::new(Followed {
            address: Address {
                server_uuid: Some(replica.uuid.clone()),
                ..named.clone()
            },
            server: replica,
        })),
        setting: Setting {
            site,
            log: Log::Replica,
            ..setting
        },
    })
}

fn site_of(primary: &Server, wanted: &Topology) -> Result<Site, Early> {
    if primary.sources.is_empty() {
        return Ok(Site::Primary);
    }
    if wanted.co_primaries {
        return Ok(Site::CoPrimary);
    }
    Err(refused(
        format!(
            "the primary {}:{} has a source itself",
            primary.hostname, primary.port
        ),
        "name another server with --assume-master-host, or allow co-primaries with \
         --allow-master-master: the application must write to one of them only",
    ))
}

fn refused(what: impl Into<String>, next: impl Into<String>) -> Early {
    Early::Refused(vec![Refusal::new(what, next)])
}

/// The run stays on the replica that was named.
fn on_replica(
    wanted: &Topology,
    is_primary: bool,
    reporter: &Reporter,
) -> Result<(Site, bool), Early> {
    let (flag, stops) = match wanted.on_replica {
        OnReplica::Test { stop } => ("--test-on-replica", stop),
        OnReplica::Follow | OnReplica::Migrate => ("--migrate-on-replica", false),
    };
    if is_primary {
        return Err(refused(
            format!("{flag}: the server named by --host is no replica"),
            format!("name a replica; on a primary leave {flag} out"),
        ));
    }
    reporter.warn(format!(
        "{flag}: what is written to the replica is in its own log alone, with GTIDs that the primary \
         doesn't have"
    ));
    Ok((Site::Replica, stops))
}

/// What a server is. Its privileges are looked at where they matter.
async fn look(address: &Address) -> Result<Server, Fault> {
    let mut session = Session::open(address, usual("topology", String::new())).await?;
    inspect::server(&mut session).await
}

/// The primary that was named, and what is between it and the replica, as far as that can be seen.
async fn given(
    wanted: &Topology,
    named: &Address,
    (host, port): (&str, u16),
    replica: &Server,
) -> Result<(Address, Vec<Server>), Early> {
    let mut address = Address {
        host: host.to_owned(),
        port,
        ..named.clone()
    };
    if let Some((user, password)) = &wanted.primary_account {
        address.account = Account::fixed(user, password);
    }
    let primary = look(&address).await?;
    if primary.uuid == replica.uuid {
        return Ok((address, vec![primary]));
    }
    let source = topology::source(replica).map_err(|refusal| Early::Refused(vec![refusal]))?;
    match source {
        None if wanted.unseen_replication => Ok((address, vec![primary])),
        None => Err(refused(
            format!(
                "{}:{} doesn't replicate from {host}:{port}, nor from anybody else",
                named.host, named.port
            ),
            "leave --assume-master-host out; or use --tungsten if something feeds it that SHOW REPLICA \
             STATUS doesn't show",
        )),
        Some(channel) if channel.source_uuid == primary.uuid => Ok((address, vec![primary])),
        // Through others: their names may mean nothing here, so what can't be reached isn't judged. Whether
        // the primary's changes arrive is shown by a row that has to come through.
        Some(_) => {
            let mut chain = match walk(wanted, named, replica).await {
                Ok((_, chain)) => chain,
                Err(_) => Vec::new(),
            };
            chain.retain(|server| server.uuid != primary.uuid);
            chain.push(primary);
            Ok((address, chain))
        }
    }
}

/// Walks up from the replica to the server that has no source. Returns how to reach it, and the servers
/// above the replica, the primary last.
async fn walk(
    wanted: &Topology,
    named: &Address,
    replica: &Server,
) -> Result<(Address, Vec<Server>), Early> {
    let mut seen: Vec<(Address, Server)> = vec![(named.clone(), replica.clone())];
    for _ in 0..limits::CHAIN_MAX {
        let Some((_, last)) = seen.last() else { break };
        let source = topology::source(last).map_err(|refusal| Early::Refused(vec![refusal]))?;
        let Some(channel) = source else {
            return Ok(above(seen));
        };
        let address = Address {
            host: channel.host.clone(),
            port: channel.port,
            ..named.clone()
        };
        let server = look(&address).await.map_err(|fault| {
            refused(
                format!(
                    "{}:{}, the source of {}:{}, can't be asked: {fault}",
                    address.host, address.port, last.hostname, last.port
                ),
                "name the primary with --assume-master-host, as it is reached from here, and its account \
                 with --master-user if that is another one",
            )
        })?;
        if let Some(start) = seen.iter().position(|(_, known)| known.uuid == server.uuid) {
            return ring(wanted, seen, start);
        }
        seen.push((address, server));
    }
    Err(refused(
        format!("there are more than {} servers above it", limits::CHAIN_MAX),
        "name the primary with --assume-master-host",
    ))
}

/// Without the replica that the walk began at.
fn above(seen: Vec<(Address, Server)>) -> (Address, Vec<Server>) {
    let address = seen.last().map(|(address, _)| address.clone());
    let fallback = seen.first().map(|(address, _)| address.clone());
    let servers: Vec<Server> = seen.into_iter().skip(1).map(|(_, server)| server).collect();
    let address = address.or(fallback);
    // There is always the one that the walk began at.
    (address.expect("the walk begins somewhere"), servers)
}

/// Servers from `start` on replicate from each other.
fn ring(
    wanted: &Topology,
    mut seen: Vec<(Address, Server)>,
    start: usize,
) -> Result<(Address, Vec<Server>), Early> {
    let names: Vec<String> = seen
        .iter()
        .skip(start)
        .map(|(address, _)| format!("{}:{}", address.host, address.port))
        .collect();
    if !wanted.co_primaries {
        return Err(refused(
            format!("{} replicate from each other", names.join(" and ")),
            "--allow-master-master takes the only one that isn't read-only; or name the primary with \
             --assume-master-host",
        ));
    }
    let servers: Vec<Server> = seen
        .iter()
        .skip(start)
        .map(|(_, server)| server.clone())
        .collect();
    let one = topology::writable(&servers).map_err(|refusal| Early::Refused(vec![refusal]))?;
    seen.truncate(start + one + 1);
    Ok(above(seen))
}

/// Refuses what makes the replica's log useless for us.
async fn speaks_against(
    config: &Config,
    names: &Names,
    named: &Address,
    replica: &Server,
    chain: &[Server],
) -> Result<(), Early> {
    let gtid = config.topology.gtid;
    let mut refusals = if config.topology.unseen_replication {
        let mut server = replica.clone();
        // What isn't shown can't be judged by the server's own settings.
        (server.logs_updates, server.keeps_order) = (true, true);
        topology::stands_for_primary(&server, Link::Followed, names, gtid)
    } else {
        topology::stands_for_primary(replica, Link::Followed, names, gtid)
    };
    for server in chain.iter().rev().skip(1) {
        refusals.extend(topology::stands_for_primary(
            server,
            Link::Between,
            names,
            gtid,
        ));
    }
    let mut session = Session::open(named, usual("topology", String::new())).await?;
    let duties = Duties {
        writes: false,
        ..Duties::PRIMARY
    };
    let privileges = inspect::privileges(&mut session, names, duties).await?;
    refusals.extend(topology::may_do(replica, &privileges));
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(Early::Refused(refusals))
    }
}

/// The marker that shows the way from the primary to the replica before anything is copied; the core
/// counts its own from 1.
pub(super) const FIRST_MARKER: Marker = Marker(0);

/// Waits until the replica shows the first marker. That proves that what this run writes on the primary
/// gets there, and that the helper tables' own DDL is in its log already: it must not come through the
/// stream as somebody else's.
///
/// # Errors
/// When the replica can't be asked, or doesn't show it within the bound.
pub(super) async fn arrived(
    session: &mut Session,
    names: &Names,
    token: &str,
    clock: Clock,
    reporter: &Reporter,
) -> Result<(), Fault> {
    let look = Statement {
        name: "look for the first marker",
        text: format!(
            "SELECT /* tableshift */ value FROM {} WHERE id={MARKER_ROW}",
            qualified(&names.schema, &names.changelog)
        ),
    };
    let started = clock.elapsed_ms();
    let mut told_ms = started;
    loop {
        match session.run(&look).await {
            Ok(answer) => {
                let value = answer.text(0, 0).unwrap_or_default();
                if marker_of(token, &value) == Some(FIRST_MARKER) {
                    return Ok(());
                }
            }
            // The table or its schema isn't there yet, or an earlier run's table of another shape.
            Err(fault) if matches!(fault.code, Some(1_146 | 1_049 | 1_054 | 1_412)) => {}
            Err(fault) => return Err(fault),
        }
        let now = clock.elapsed_ms();
        if u128::from(now - started) > limits::REPLICA_WAIT.as_millis() {
            return Err(Fault::timed_out(
                "wait for the replica to show what is written on the primary",
                limits::REPLICA_WAIT.as_secs(),
            ));
        }
        if u128::from(now - told_ms) > limits::WAIT_TOLD.as_millis() {
            told_ms = now;
            reporter.info(format!(
                "waiting for the replica to show what is written on the primary, since {} s (does it \
                 replicate, and from this primary?)",
                (now - started) / 1_000
            ));
        }
        tokio::time::sleep(limits::REPLICA_PAUSE).await;
    }
}
