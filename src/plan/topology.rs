//! What a run asks of the servers between which it works. Pure.
//!
//! A replica's log can stand for the primary's if three things hold. Everything gets there: no filter
//! on the way hides the tables, and the replica logs what it applies. It gets there in the primary's
//! order: then a marker that was written under the lock comes back behind every change. And nothing that
//! was read from the log is taken back: a server that crashed must not have lost its end.

use super::Refusal;
use super::inspection::{Channel, Privileges, Server, Site};
use super::names::Names;
use super::privileges::like;

/// Formats in which every change is logged as rows.
pub(super) const ROWS: &[&str] = &["ROW"];
/// Formats in which our own changes are logged as rows.
pub(super) const ROWS_OR_MIXED: &[&str] = &["ROW", "MIXED"];

/// A server, for messages.
fn place(server: &Server) -> String {
    format!("{}:{}", server.hostname, server.port)
}

/// The server logs, in one of these formats.
pub(super) fn logs(server: &Server, formats: &[&str]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if !server.log_bin {
        refusals.push(Refusal::new(
            format!("{} writes no binary log (log_bin=OFF)", place(server)),
            "start it with --log-bin; changes made during the migration are read from there",
        ));
    }
    let format = server.binlog_format.to_ascii_uppercase();
    if !formats.contains(&format.as_str()) {
        refusals.push(Refusal::new(
            format!("binlog_format is {format} on {}", place(server)),
            "SET GLOBAL binlog_format='ROW' there and let its sessions reconnect (on a replica: STOP \
             REPLICA SQL_THREAD; START REPLICA SQL_THREAD); on managed servers it is a parameter",
        ));
    }
    refusals
}

/// GTIDs can be followed.
pub(super) fn has_gtids(server: &Server) -> Vec<Refusal> {
    if server.gtid_mode.eq_ignore_ascii_case("ON") {
        return vec![];
    }
    vec![Refusal::new(
        format!(
            "--gtid needs gtid_mode=ON, and on {} it is {}",
            place(server),
            server.gtid_mode
        ),
        "leave --gtid out, or switch GTIDs on first",
    )]
}

/// The server is what the run takes it for, and takes writes.
pub(super) fn may_be_written(server: &Server, site: Site) -> Vec<Refusal> {
    let name = place(server);
    match site {
        Site::Primary if !server.sources.is_empty() => vec![Refusal::new(
            format!("{name} is a replica of another server"),
            "name the primary with --assume-master-host; --allow-master-master if both are primaries",
        )],
        Site::Replica if server.super_read_only => vec![Refusal::new(
            format!("{name} takes writes from nobody (super_read_only=ON)"),
            "SET GLOBAL super_read_only=OFF there; read_only may stay on, which keeps the application \
             away",
        )],
        Site::Primary | Site::CoPrimary if server.read_only => vec![Refusal::new(
            format!("{name} is read-only"),
            "connect to the primary, or SET GLOBAL read_only=OFF if this is it",
        )],
        Site::Primary | Site::CoPrimary | Site::Replica => vec![],
    }
}

/// The account has what it needs.
#[must_use]
pub fn may_do(server: &Server, privileges: &Privileges) -> Vec<Refusal> {
    if privileges.missing.is_empty() {
        return vec![];
    }
    let account = &privileges.account;
    let mut next: Vec<String> = privileges
        .missing
        .iter()
        .map(|missing| format!("GRANT {missing} TO {account};"))
        .collect();
    if !privileges.idle_roles.is_empty() {
        next.push(format!(
            "or, if its roles have them: SET DEFAULT ROLE {} TO {account};",
            privileges.idle_roles.join(",")
        ));
    }
    vec![Refusal::new(
        format!(
            "the account {account} lacks privileges on {}",
            place(server)
        ),
        next.join(" "),
    )]
}

/// What a server between the primary and the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The one whose log is read.
    Followed,
    /// One on the way there.
    Between,
}

/// Everything that speaks against reading the primary's changes from this server's log.
#[must_use]
pub fn stands_for_primary(server: &Server, link: Link, names: &Names, gtid: bool) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let name = place(server);
    refusals.extend(logs(
        server,
        match link {
            Link::Followed => ROWS,
            Link::Between => &["ROW", "MIXED", "STATEMENT"],
        },
    ));
    if gtid && link == Link::Followed {
        refusals.extend(has_gtids(server));
    }
    if !server.logs_updates {
        refusals.push(Refusal::new(
            format!("{name} doesn't log what it replicates (log_replica_updates=OFF)"),
            "start it with --log-replica-updates, or connect to another replica or to the primary",
        ));
    }
    if !server.keeps_order {
        refusals.push(Refusal::new(
            format!(
                "the replica {name} may commit in another order than its source \
                 (replica_preserve_commit_order=OFF with several replica_parallel_workers)"
            ),
            "STOP REPLICA SQL_THREAD; SET GLOBAL replica_preserve_commit_order=ON; START REPLICA \
             SQL_THREAD; or connect to the primary",
        ));
    }
    if server.binlog_filtered {
        refusals.push(Refusal::new(
            format!("{name} runs with binlog_do_db or binlog_ignore_db, which may hide changes"),
            "remove the filters; what is not logged can't be followed",
        ));
    }
    refusals.extend(source(server).err());
    for channel in &server.sources {
        if let Some((filter, value)) = hides(channel, names) {
            refusals.push(Refusal::new(
                format!("replication to {name} is filtered ({filter}: {value})"),
                "connect to a replica without this filter, or to the primary",
            ));
        }
    }
    refusals
}

/// The one source of a replica, if it has any.
///
/// # Errors
/// When it has several.
pub fn source(server: &Server) -> Result<Option<&Channel>, Refusal> {
    match &server.sources[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => Err(Refusal::new(
            format!(
                "{} replicates from {} sources at once",
                place(server),
                several.len()
            ),
            "connect to a replica with one source, or to the primary",
        )),
    }
}

/// The first filter of a channel that may keep a table of ours away.
fn hides<'a>(channel: &'a Channel, names: &Names) -> Option<&'a (String, String)> {
    let tables = [&names.original, &names.ghost, &names.old, &names.changelog];
    let any =
        |list: &str, matches: &dyn Fn(&str) -> bool| list.split(',').map(str::trim).any(matches);
    let whole = |table: &str| format!("{}.{table}", names.schema);
    channel.filters.iter().find(|(filter, value)| {
        let named = |table: &&&String| any(value, &|item| item == whole(table));
        let matched = |table: &&&String| any(value, &|item| like(item, &whole(table)));
        match filter.to_ascii_lowercase().as_str() {
            // A statement like TRUNCATE goes by the default schema of its session, which may be any.
            "replicate_do_db" | "replicate_ignore_db" => true,
            "replicate_do_table" => !tables.iter().all(|table| named(&table)),
            "replicate_ignore_table" => tables.iter().any(|table| named(&table)),
            "replicate_wild_do_table" => !tables.iter().all(|table| matched(&table)),
            "replicate_wild_ignore_table" => tables.iter().any(|table| matched(&table)),
            // Written as (from,to) pairs.
            "replicate_rewrite_db" => value.contains(&names.schema),
            // The primary's id may be among them.
            _ => true,
        }
    })
}

/// Which of two or more servers that replicate from each other in a ring is the primary: the only one
/// that takes writes.
///
/// # Errors
/// When there is none, or more than one.
pub fn writable(ring: &[Server]) -> Result<usize, Refusal> {
    let mut open = ring
        .iter()
        .enumerate()
        .filter(|(_, server)| !server.read_only);
    match (open.next(), open.next()) {
        (Some((one, _)), None) => Ok(one),
        (None, _) => Err(Refusal::new(
            "every server of the ring is read-only, so none is the primary",
            "name it with --assume-master-host once it takes writes",
        )),
        (Some(_), Some(_)) => Err(Refusal::new(
            "several servers of the ring take writes, and changes from two sides at the moment of the \
             swap would be lost",
            "let the application write to one of them only and set read_only=ON on the others, or name \
             it with --assume-master-host",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica() -> Server {
        Server {
            log_bin: true,
            binlog_format: "ROW".into(),
            logs_updates: true,
            keeps_order: true,
            gtid_mode: "ON".into(),
            sources: vec![Channel::default()],
            ..Server::default()
        }
    }

    fn against(server: &Server, link: Link) -> Vec<String> {
        let names = Names::new("shop", "t", None, None);
        stands_for_primary(server, link, &names, true)
            .into_iter()
            .map(|refusal| refusal.what)
            .collect()
    }

    #[test]
    fn a_replica_that_tells_everything_in_order_is_followed() {
        assert!(against(&replica(), Link::Followed).is_empty());
        type Case = (&'static str, fn(&mut Server));
        let cases: [Case; 7] = [
            ("log_bin", |server| server.log_bin = false),
            ("log_replica_updates", |server| server.logs_updates = false),
            ("preserve_commit_order", |server| server.keeps_order = false),
            ("binlog_do_db", |server| server.binlog_filtered = true),
            ("gtid_mode", |server| {
                server.gtid_mode = "ON_PERMISSIVE".into();
            }),
            ("binlog_format", |server| {
                server.binlog_format = "MIXED".into();
            }),
            ("2 sources", |server| {
                server.sources.push(Channel::default())
            }),
        ];
        for (word, spoil) in cases {
            let mut server = replica();
            spoil(&mut server);
            let said = against(&server, Link::Followed);
            assert!(
                said.len() == 1 && said[0].contains(word),
                "{word}: {said:?}"
            );
        }
        let mut between = replica();
        between.binlog_format = "STATEMENT".into();
        assert!(against(&between, Link::Between).is_empty());
    }

    #[test]
    fn a_filter_counts_when_it_hides_one_of_our_tables() {
        for (filter, value, hidden) in [
            ("Replicate_Do_DB", "shop,other", true),
            ("Replicate_Do_DB", "other", true),
            ("Replicate_Ignore_DB", "other", true),
            ("Replicate_Ignore_DB", "other,shop", true),
            ("Replicate_Do_Table", "shop.t", true),
            ("Replicate_Ignore_Table", "shop._t_ghc", true),
            ("Replicate_Ignore_Table", "shop.u", false),
            ("Replicate_Wild_Do_Table", "shop.%", false),
            ("Replicate_Wild_Do_Table", "shop.t%", true),
            ("Replicate_Wild_Ignore_Table", "%.\\_%", true),
            ("Replicate_Wild_Ignore_Table", "log%.%", false),
            ("Replicate_Rewrite_DB", "(shop,backup)", true),
            ("Replicate_Ignore_Server_Ids", "7", true),
        ] {
            let mut server = replica();
            server.sources[0].filters = vec![(filter.into(), value.into())];
            let said = against(&server, Link::Followed);
            assert_eq!(!said.is_empty(), hidden, "{filter} {value}");
        }
    }

    #[test]
    fn a_server_must_be_what_the_run_takes_it_for() {
        let refused = |server: &Server, site| !may_be_written(server, site).is_empty();
        let mut server = replica();
        assert!(refused(&server, Site::Primary));
        assert!(!refused(&server, Site::CoPrimary) && !refused(&server, Site::Replica));
        server.read_only = true;
        assert!(refused(&server, Site::CoPrimary) && !refused(&server, Site::Replica));
        server.super_read_only = true;
        assert!(refused(&server, Site::Replica));
    }

    #[test]
    fn in_a_ring_the_only_writable_server_is_the_primary() {
        let server = |read_only| Server {
            read_only,
            ..Server::default()
        };
        assert_eq!(writable(&[server(true), server(false)]), Ok(1));
        assert!(writable(&[server(true), server(true)]).is_err());
        assert!(writable(&[server(false), server(false)]).is_err());
    }
}
