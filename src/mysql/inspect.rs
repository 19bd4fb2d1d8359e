//! Looking at the server and the tables: catalogue in, plain data out.

use std::collections::HashMap;

use super::classify::Fault;
use super::place::Position;
use super::saved::saved;
use super::session::{Answer, Session};
use crate::plan::gtid::GtidSet;
use crate::plan::inspection::{
    Channel, Column, ForeignKey, Index, IndexPart, Inspection, Leftover, Log, Needs, Privileges,
    Server, Setting, Site, Table, TableNames, Version,
};
use crate::plan::leftovers::CHANGELOG_COMMENT;
use crate::plan::names::Names;
use crate::plan::pair::Moment;
use crate::plan::privileges::{Duties, Grants, SchemaNames, missing};
use crate::sql::cutover::locks_table;
use crate::sql::{qualified, text_literal};

/// Looks at everything that the checks ask for.
///
/// # Errors
/// When a catalogue query fails.
pub async fn inspect(
    session: &mut Session,
    names: &Names,
    (setting, needs): (Setting, Needs),
) -> Result<Inspection, Fault> {
    let server = server(session).await?;
    let duties = Duties {
        writes: true,
        follows: setting.log == Log::Own,
        past_read_only: setting.site == Site::Replica && server.read_only,
        stops_replication: setting.stops_replication,
        kills: needs.kills,
        makes_triggers: needs.triggers,
        explains: needs.plans,
        keeps_values: needs.keeps_values,
        keeps_checkpoints: needs.checkpoints,
    };
    let [old_check_names, check_names] = check_names(session, names, server.table_names).await?;
    let leftovers = leftovers(session, names).await?;
    Ok(Inspection {
        setting,
        backfills: Vec::new(),
        original: table(session, &names.schema, &names.original).await?,
        triggers: triggers(session, names).await?,
        foreign_keys: foreign_keys(session, names).await?,
        relatives: relatives(session, names).await?,
        reached_from: reached_from(session, names).await?,
        ghost_empty: ghost_empty(session, names, &leftovers).await?,
        saved: saved(session, names, &leftovers).await?,
        leftovers,
        check_names,
        old_check_names,
        privileges: privileges(session, names, duties).await?,
        server,
    })
}

fn text(answer: &Answer, row: usize, column: usize) -> String {
    answer.text(row, column).unwrap_or_default()
}

/// Looks at the server alone.
///
/// # Errors
/// When it can't be asked.
pub async fn server(session: &mut Session) -> Result<Server, Fault> {
    let facts = session
        .say(
            "read the server's settings",
            "SELECT /* tableshift */ @@version, @@version_comment, @@hostname, @@port, \
             @@server_uuid, @@log_bin, @@global.binlog_format, @@global.read_only OR \
             @@global.super_read_only, @@lower_case_table_names, @@global.sql_mode, \
             @@global.time_zone, @@system_time_zone, @@performance_schema, \
             @@global.max_allowed_packet, CAST(UNIX_TIMESTAMP() - (SELECT VARIABLE_VALUE FROM \
             performance_schema.global_status WHERE VARIABLE_NAME='Uptime') AS SIGNED), \
             CONCAT_WS(', ', @@system_time_zone, @@global.div_precision_increment, \
             @@global.lc_time_names, @@global.default_week_format, @@global.group_concat_max_len, \
             @@global.block_encryption_mode, @@global.explicit_defaults_for_timestamp), \
             CONCAT('div_precision_increment=', @@global.div_precision_increment, ', lc_time_names=''', \
             @@global.lc_time_names, ''', default_week_format=', @@global.default_week_format)",
        )
        .await?;
    let version_text = format!("{} {}", text(&facts, 0, 0), text(&facts, 0, 1));
    let time_zone = text(&facts, 0, 10);
    let performance_schema = facts.number(0, 12) == Some(1);
    let replication = replication(session).await?;
    let metadata_locks_visible = performance_schema && instrumented(session).await?;
    Ok(Server {
        version: Version::parse(&text(&facts, 0, 0)),
        version_text,
        hostname: text(&facts, 0, 2),
        port: facts
            .number(0, 3)
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or_default(),
        uuid: text(&facts, 0, 4),
        started: text(&facts, 0, 14).parse().unwrap_or_default(),
        log_bin: facts.number(0, 5) == Some(1),
        logs_cascades: logs_cascades(session).await?,
        binlog_format: text(&facts, 0, 6),
        read_only: facts.number(0, 7) != Some(0),
        super_read_only: replication.is_on("super_read_only"),
        sources: sources(session).await?,
        logs_updates: replication.is_on("log_replica_updates"),
        keeps_order: replication.is_on("replica_preserve_commit_order")
            || replication.number("replica_parallel_workers") <= 1,
        flushes_log: replication.number("sync_binlog") == 1,
        gtid_mode: replication.text("gtid_mode"),
        table_names: match facts.number(0, 8) {
            Some(0) => TableNames::Exact,
            Some(_) | None => TableNames::AnyCase,
        },
        metadata_locks_visible,
        sql_mode: text(&facts, 0, 9),
        max_allowed_packet: facts.number(0, 13).unwrap_or_default(),
        time_zone_is_utc: is_utc(&time_zone, &text(&facts, 0, 11)),
        time_zone,
        expression_settings: text(&facts, 0, 15),
        pinned_settings: text(&facts, 0, 16),
        binlog_filtered: filtered(session).await?,
    })
}

/// Which server it is, and where it stands in time; anybody may ask that.
///
/// # Errors
/// When it can't be asked.
pub async fn moment(session: &mut Session) -> Result<(String, Moment), Fault> {
    let facts = session
        .say(
            "read the server's settings",
            "SELECT /* tableshift */ @@server_uuid, @@global.time_zone, @@system_time_zone",
        )
        .await?;
    let zone = text(&facts, 0, 1);
    let is_utc = is_utc(&zone, &text(&facts, 0, 2));
    Ok((text(&facts, 0, 0), Moment { zone, is_utc }))
}

/// Cascades are in the log where the server itself carries them out and not the storage engine (measured
/// on 9.7.4); servers without the variable know the engine's only.
async fn logs_cascades(session: &mut Session) -> Result<bool, Fault> {
    let shown = session
        .say(
            "read a status variable",
            "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'",
        )
        .await?;
    Ok(text(&shown, 0, 1) == "OFF")
}

/// Whether a zone is UTC at all times. The system's is known by what the server found at its start
/// (manual, "MySQL Server Time Zone Support"), and London's is GMT in winter only.
fn is_utc(zone: &str, of_system: &str) -> bool {
    match zone {
        "SYSTEM" => of_system == "UTC",
        _ => matches!(zone, "UTC" | "+00:00" | "-00:00" | "Etc/UTC" | "GMT"),
    }
}

/// Switches the recording of metadata locks on, if it is off; tells whether it was.
///
/// # Errors
/// When the server can't be asked, or the account may not change it.
pub async fn switch_instruments_on(session: &mut Session) -> Result<bool, Fault> {
    let answer = session
        .say("read the server's instruments", INSTRUMENT)
        .await?;
    if text(&answer, 0, 0) == "YES" {
        return Ok(false);
    }
    let set = "UPDATE /* tableshift */ performance_schema.setup_instruments SET ENABLED='YES' WHERE \
               NAME='wait/lock/metadata/sql/mdl'";
    let name = "switch the metadata lock instrument on";
    session.say(name, set).await?;
    Ok(true)
}

const INSTRUMENT: &str = "SELECT /* tableshift */ ENABLED FROM performance_schema.setup_instruments WHERE \
                          NAME='wait/lock/metadata/sql/mdl'";

/// Whether metadata locks are recorded. Without the privilege to look, the privilege check speaks.
async fn instrumented(session: &mut Session) -> Result<bool, Fault> {
    match session
        .say("read the server's instruments", INSTRUMENT)
        .await
    {
        Ok(answer) if text(&answer, 0, 0) != "YES" => return Ok(false),
        Ok(_) => {}
        Err(fault) if fault.code == Some(1142) => return Ok(true),
        Err(fault) => return Err(fault),
    }
    // Locks for which there was no room are in no row.
    let lost = session
        .say(
            "read a status variable",
            "SHOW GLOBAL STATUS LIKE 'Performance_schema_metadata_lock_lost'",
        )
        .await?;
    Ok(lost.number(0, 1) == Some(0))
}

/// Global variables, under their present names.
struct Variables(HashMap<String, String>);

impl Variables {
    fn text(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }

    fn is_on(&self, name: &str) -> bool {
        self.text(name).eq_ignore_ascii_case("ON")
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }
}

/// Settings of replication; until 8.0.26 some had other names (manual, "Replication Options").
async fn replication(session: &mut Session) -> Result<Variables, Fault> {
    let answer = session
        .say(
            "read the replication settings",
            "SELECT /* tableshift */ REPLACE(VARIABLE_NAME, 'slave', 'replica'), VARIABLE_VALUE FROM \
             performance_schema.global_variables WHERE VARIABLE_NAME IN ('super_read_only', \
             'log_replica_updates', 'log_slave_updates', 'replica_preserve_commit_order', \
             'slave_preserve_commit_order', 'replica_parallel_workers', 'slave_parallel_workers', \
             'sync_binlog', 'gtid_mode')",
        )
        .await?;
    let pair = |row: usize| (text(&answer, row, 0), text(&answer, row, 1));
    Ok(Variables((0..answer.rows.len()).map(pair).collect()))
}

/// What feeds the server. Needs REPLICATION CLIENT; when that is missing the privilege check says so.
///
/// # Errors
/// When it can't be asked.
pub async fn sources(session: &mut Session) -> Result<Vec<Channel>, Fault> {
    let name = "read the replication status";
    let mut status = session.say(name, "SHOW REPLICA STATUS").await;
    // The statement has this name since 8.0.22 (manual, "SHOW REPLICA STATUS Statement").
    if let Err(fault) = &status
        && fault.code == Some(1064)
    {
        status = session.say(name, "SHOW SLAVE STATUS").await;
    }
    let answer = match status {
        Ok(answer) => answer,
        Err(fault) if fault.code == Some(1227) => return Ok(Vec::new()),
        Err(fault) => return Err(fault),
    };
    Ok((0..answer.rows.len())
        .map(|row| channel(&answer, row))
        .collect())
}

fn channel(answer: &Answer, row: usize) -> Channel {
    let value = |name: &str| -> String {
        let older = name
            .replace("Source", "Master")
            .replace("Replica_", "Slave_");
        let column = answer
            .columns
            .iter()
            .position(|column| *column == name || *column == older);
        column.map(|at| text(answer, row, at)).unwrap_or_default()
    };
    let filters = answer
        .columns
        .iter()
        .filter(|column| column.starts_with("Replicate_"))
        .map(|column| (column.clone(), value(column)))
        .filter(|(_, value)| !value.is_empty());
    Channel {
        filters: filters.collect(),
        name: value("Channel_Name"),
        host: value("Source_Host"),
        port: value("Source_Port").parse().unwrap_or_default(),
        source_uuid: value("Source_UUID"),
        applies: value("Replica_SQL_Running") == "Yes",
    }
}

/// `binlog_do_db` and `binlog_ignore_db` stand in the answer of SHOW BINARY LOG STATUS.
async fn filtered(session: &mut Session) -> Result<bool, Fault> {
    let status = match binlog_status(session).await {
        Ok(status) => status,
        Err(fault) if fault.code == Some(1227) => return Ok(false),
        Err(fault) => return Err(fault),
    };
    // A filter goes by the session's default schema for statements (DDL among them), by the table's for
    // rows (manual, "Evaluation of Database-Level Replication and Binary Logging Options"): any may hide
    // a change of this table.
    let list = |column| text(&status, 0, column);
    Ok(!list(2).is_empty() || !list(3).is_empty())
}

/// The statement was renamed in 8.2 and the old form is gone in 8.4 (manual, "SHOW BINARY LOG
/// STATUS Statement").
async fn binlog_status(session: &mut Session) -> Result<Answer, Fault> {
    match session
        .say("read the binary log's position", "SHOW BINARY LOG STATUS")
        .await
    {
        Err(fault) if fault.code == Some(1064) => {
            session
                .say("read the binary log's position", "SHOW MASTER STATUS")
                .await
        }
        other => other,
    }
}

/// How places in the binary log are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// By file and offset.
    InFiles,
    /// By GTIDs.
    ByGtids,
}

/// Where the binary log ends now.
///
/// # Errors
/// When the server doesn't say.
pub async fn position(session: &mut Session, counted: Counted) -> Result<Position, Fault> {
    let status = binlog_status(session).await?;
    let name = "read the binary log's position";
    match (status.text(0, 0), status.number(0, 1)) {
        (Some(file), Some(offset)) => Ok(Position {
            gtids: match counted {
                Counted::InFiles => None,
                // A transaction is in it only when it is committed, so none is left out that is still
                // on its way; those that the file has beyond the set are delivered.
                Counted::ByGtids => Some(
                    GtidSet::parse(&text(&status, 0, 4))
                        .ok_or_else(|| Fault::unexpected(name, "a set of GTIDs that is none"))?,
                ),
            },
            ..Position::of_file(file, offset)
        }),
        _ => Err(Fault::unexpected(
            "read the binary log's position",
            "the server has no binary log",
        )),
    }
}

/// A table's catalogue, or `None` when it doesn't exist.
///
/// # Errors
/// When a catalogue query fails.
pub async fn table(
    session: &mut Session,
    schema: &str,
    name: &str,
) -> Result<Option<Table>, Fault> {
    let place = format!(
        "TABLE_SCHEMA={} AND TABLE_NAME={}",
        text_literal(schema),
        text_literal(name)
    );
    let facts = session
        .say(
            "read the table's catalogue",
            &format!(
                "SELECT /* tableshift */ TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, ''), \
                 COALESCE(TABLE_ROWS, 0), COALESCE(AVG_ROW_LENGTH, 0) FROM information_schema.TABLES \
                 WHERE {place}"
            ),
        )
        .await?;
    if facts.rows.is_empty() {
        return Ok(None);
    }
    let kind = text(&facts, 0, 1);
    let definition = if kind == "BASE TABLE" {
        definition(session, schema, name).await?
    } else {
        String::new()
    };
    Ok(Some(Table {
        name: text(&facts, 0, 0),
        engine: text(&facts, 0, 2),
        rows_estimate: facts.number(0, 3).unwrap_or_default(),
        row_bytes: facts.number(0, 4).unwrap_or_default(),
        columns: columns(session, &place).await?,
        indexes: if kind == "BASE TABLE" {
            indexes(session, schema, name).await?
        } else {
            Vec::new()
        },
        definition,
        kind,
    }))
}

/// What SHOW CREATE TABLE says.
///
/// # Errors
/// When the table doesn't exist or can't be read.
pub async fn definition(session: &mut Session, schema: &str, name: &str) -> Result<String, Fault> {
    let answer = session
        .say(
            "read the table's definition",
            &format!("SHOW CREATE TABLE {}", qualified(schema, name)),
        )
        .await?;
    Ok(text(&answer, 0, 1))
}

async fn columns(session: &mut Session, place: &str) -> Result<Vec<Column>, Fault> {
    let answer = session
        .say(
            "read the table's columns",
            &format!(
                "SELECT /* tableshift */ COLUMN_NAME, COLUMN_DEFAULT, IS_NULLABLE, DATA_TYPE, \
                 COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, EXTRA, \
                 COALESCE(DATETIME_PRECISION, 0), CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, \
                 NUMERIC_SCALE, COALESCE(GENERATION_EXPRESSION, '') FROM information_schema.COLUMNS WHERE {place} ORDER BY \
                 ORDINAL_POSITION"
            ),
        )
        .await?;
    let column = |row: usize| Column {
        name: text(&answer, row, 0),
        ordinal: row,
        default: answer.text(row, 1),
        nullable: text(&answer, row, 2) == "YES",
        data_type: text(&answer, row, 3).to_lowercase(),
        column_type: text(&answer, row, 4),
        charset: answer.text(row, 5),
        collation: answer.text(row, 6),
        extra: text(&answer, row, 7),
        fraction_digits: answer
            .number(row, 8)
            .and_then(|digits| u8::try_from(digits).ok())
            .unwrap_or_default(),
        octet_length: answer.number(row, 9),
        decimal: answer.number(row, 10).zip(answer.number(row, 11)),
        generation: text(&answer, row, 12),
    };
    Ok((0..answer.rows.len()).map(column).collect())
}

/// In the server's own order, which the catalogue's view doesn't keep.
async fn indexes(session: &mut Session, schema: &str, name: &str) -> Result<Vec<Index>, Fault> {
    let table = qualified(schema, name);
    let answer = session
        .say(
            "read the table's indexes",
            &format!("SHOW INDEX FROM {table}"),
        )
        .await?;
    let mut indexes: Vec<Index> = Vec::new();
    for row in 0..answer.rows.len() {
        let name = text(&answer, row, 2);
        let part = IndexPart {
            column: answer.text(row, 4),
            prefix: answer.text(row, 7).is_some(),
            expression: answer.text(row, 14),
        };
        match indexes.last_mut().filter(|index| index.name == name) {
            Some(index) => index.parts.push(part),
            None => indexes.push(Index {
                name,
                unique: answer.number(row, 1) == Some(0),
                parts: vec![part],
            }),
        }
    }
    Ok(indexes)
}

/// Triggers on the original.
///
/// # Errors
/// When the catalogue can't be read.
pub async fn triggers(session: &mut Session, names: &Names) -> Result<Vec<String>, Fault> {
    let answer = session
        .say(
            "look for triggers",
            &format!(
                "SELECT /* tableshift */ TRIGGER_NAME FROM information_schema.TRIGGERS WHERE \
                 EVENT_OBJECT_SCHEMA={} AND EVENT_OBJECT_TABLE={}",
                text_literal(&names.schema),
                text_literal(&names.original)
            ),
        )
        .await?;
    Ok((0..answer.rows.len())
        .map(|row| text(&answer, row, 0))
        .collect())
}

/// Foreign keys from and to the original.
///
/// # Errors
/// When the catalogue can't be read.
pub async fn foreign_keys(session: &mut Session, names: &Names) -> Result<Vec<ForeignKey>, Fault> {
    let (schema, table) = (text_literal(&names.schema), text_literal(&names.original));
    let answer = session
        .say(
            "look for foreign keys",
            &format!(
                "SELECT /* tableshift */ DISTINCT CONSTRAINT_NAME, TABLE_SCHEMA, TABLE_NAME, \
                 REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, (SELECT COUNT(*) FROM \
                 information_schema.REFERENTIAL_CONSTRAINTS AS r WHERE r.CONSTRAINT_SCHEMA = \
                 k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND (r.DELETE_RULE IN \
                 ('CASCADE', 'SET NULL') OR r.UPDATE_RULE IN ('CASCADE', 'SET NULL'))) FROM \
                 information_schema.KEY_COLUMN_USAGE AS k WHERE REFERENCED_TABLE_NAME IS NOT NULL AND \
                 ((TABLE_SCHEMA={schema} AND TABLE_NAME={table}) OR (REFERENCED_TABLE_SCHEMA={schema} \
                 AND REFERENCED_TABLE_NAME={table}))"
            ),
        )
        .await?;
    let key = |row: usize| ForeignKey {
        name: text(&answer, row, 0),
        child: format!("{}.{}", text(&answer, row, 1), text(&answer, row, 2)),
        parent: format!("{}.{}", text(&answer, row, 3), text(&answer, row, 4)),
        cascades: answer.number(row, 5) != Some(0),
    };
    Ok((0..answer.rows.len()).map(key).collect())
}

/// Answers to a DELETE for which checks have their own words: no such schema or table, no privilege, a
/// view, another engine, a server that takes no writes.
const NO_DELETE: [u16; 10] = [1031, 1044, 1049, 1142, 1146, 1288, 1290, 1356, 1395, 1836];

/// Tables that belong to the original by a foreign key, or that a trigger of it uses, although the account
/// may not see them: the server takes metadata locks on them when rows of the original are about to be
/// deleted. No row is.
///
/// # Errors
/// When the server can't be asked.
async fn relatives(session: &mut Session, names: &Names) -> Result<Vec<String>, Fault> {
    let name = "look for relatives";
    let table = qualified(&names.schema, &names.original);
    let steps = [
        "SET SESSION foreign_key_checks=1".to_owned(),
        "START TRANSACTION".to_owned(),
        format!("DELETE /* tableshift */ FROM {table} WHERE FALSE"),
    ];
    for step in &steps {
        match session.say(name, step).await {
            Ok(_) => {}
            Err(fault) if NO_DELETE.iter().any(|code| fault.code == Some(*code)) => {}
            Err(fault) => return Err(fault),
        }
    }
    let found = session
        .say(
            name,
            &format!(
                "SELECT /* tableshift */ DISTINCT CONCAT(OBJECT_SCHEMA, '.', OBJECT_NAME) FROM \
                 performance_schema.metadata_locks AS m WHERE OBJECT_TYPE='TABLE' AND OBJECT_SCHEMA NOT IN \
                 ('performance_schema', 'mysql', 'sys') AND NOT {} AND \
                 OWNER_THREAD_ID=(SELECT THREAD_ID FROM performance_schema.threads WHERE \
                 PROCESSLIST_ID=CONNECTION_ID())",
                locks_table(&names.schema, &names.original),
            ),
        )
        .await;
    session.say(name, "ROLLBACK").await?;
    session
        .say(name, "SET SESSION foreign_key_checks=0")
        .await?;
    match found {
        Ok(found) => Ok((0..found.rows.len())
            .map(|row| text(&found, row, 0))
            .collect()),
        // The privilege to look is missing, and the privilege check says so.
        Err(fault) if fault.code == Some(1142) => Ok(Vec::new()),
        Err(fault) => Err(fault),
    }
}

/// What reaches the table from elsewhere has to name its schema.
async fn reached_from(session: &mut Session, names: &Names) -> Result<Vec<String>, Fault> {
    let (schema, table) = (text_literal(&names.schema), text_literal(&names.original));
    let answer = session
        .say(
            "look for programs of other schemas",
            &format!(
                "SELECT /* tableshift */ CONCAT(VIEW_SCHEMA, '.', VIEW_NAME) FROM \
                 information_schema.VIEW_TABLE_USAGE WHERE TABLE_SCHEMA={schema} AND \
                 TABLE_NAME={table} AND VIEW_SCHEMA<>{schema} UNION ALL SELECT \
                 CONCAT(TRIGGER_SCHEMA, '.', TRIGGER_NAME) FROM information_schema.TRIGGERS WHERE \
                 TRIGGER_SCHEMA<>{schema} AND LOCATE({schema}, ACTION_STATEMENT) > 0 UNION ALL SELECT \
                 CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME) FROM information_schema.ROUTINES WHERE \
                 ROUTINE_SCHEMA NOT IN ({schema}, 'sys', 'mysql') AND LOCATE({schema}, \
                 ROUTINE_DEFINITION) > 0"
            ),
        )
        .await?;
    Ok((0..answer.rows.len())
        .map(|row| text(&answer, row, 0))
        .collect())
}

/// Their names are unique in a schema (manual, "CHECK Constraints"). Those of leftovers don't count:
/// they are dropped before a name is needed, or the run is refused.
/// Names of the schema's CHECK constraints without the ghost's: those of the old table, and the rest.
async fn check_names(
    session: &mut Session,
    names: &Names,
    table_names: TableNames,
) -> Result<[Vec<String>; 2], Fault> {
    let answer = session
        .say(
            "look for check constraints",
            &format!(
                "SELECT /* tableshift */ CONSTRAINT_NAME, TABLE_NAME FROM \
                 information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_SCHEMA={} AND \
                 CONSTRAINT_TYPE='CHECK' AND TABLE_NAME<>{}",
                text_literal(&names.schema),
                text_literal(&names.ghost),
            ),
        )
        .await?;
    let (mut of_old, mut rest) = (Vec::new(), Vec::new());
    for row in 0..answer.rows.len() {
        let list = if table_names.same(&text(&answer, row, 1), &names.old) {
            &mut of_old
        } else {
            &mut rest
        };
        list.push(text(&answer, row, 0));
    }
    Ok([of_old, rest])
}

async fn leftovers(session: &mut Session, names: &Names) -> Result<Vec<Leftover>, Fault> {
    let answer = session
        .say(
            "look for leftovers",
            &format!(
                "SELECT /* tableshift */ t.TABLE_NAME, t.TABLE_COMMENT, c.COLUMN_NAME FROM \
                 information_schema.TABLES AS t LEFT JOIN information_schema.COLUMNS AS c ON \
                 c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME AND \
                 c.ORDINAL_POSITION = 1 WHERE t.TABLE_SCHEMA={} AND t.TABLE_NAME IN ({}, {}, {}, {})",
                text_literal(&names.schema),
                text_literal(&names.ghost),
                text_literal(&names.old),
                text_literal(&names.changelog),
                text_literal(&names.checkpoint),
            ),
        )
        .await?;
    let leftover = |row: usize| Leftover {
        name: text(&answer, row, 0),
        comment: text(&answer, row, 1),
        first_column: text(&answer, row, 2),
    };
    Ok((0..answer.rows.len()).map(leftover).collect())
}

/// A run that is killed while it tidies up drops its checkpoint first, and may leave a ghost of which only
/// the changelog beside it tells whose it is. It is dropped without asking only if no rows go with it.
async fn ghost_empty(
    session: &mut Session,
    names: &Names,
    leftovers: &[Leftover],
) -> Result<bool, Fault> {
    let found = |name: &str| leftovers.iter().find(|table| table.name == name);
    let ours = found(&names.changelog).is_some_and(|table| table.comment == CHANGELOG_COMMENT);
    if !ours || found(&names.ghost).is_none() || found(&names.checkpoint).is_some() {
        return Ok(false);
    }
    let ghost = qualified(&names.schema, &names.ghost);
    let answer = session
        .say(
            "look for rows in the ghost",
            &format!("SELECT /* tableshift */ 1 FROM {ghost} LIMIT 1"),
        )
        .await?;
    Ok(answer.rows.is_empty())
}

/// What the account lacks for these duties.
///
/// # Errors
/// When the server doesn't say.
pub async fn privileges(
    session: &mut Session,
    names: &Names,
    duties: Duties,
) -> Result<Privileges, Fault> {
    let (account, grants, active) = grants(session, &[&names.schema, "performance_schema"]).await?;
    Ok(Privileges {
        account,
        missing: missing(&grants, names, duties),
        sees_every_schema: grants.sees_every_schema(),
        idle_roles: grants
            .roles
            .iter()
            .flat_map(|roles| roles.split(','))
            .filter(|role| !active.contains(*role))
            .map(str::to_owned)
            .collect(),
    })
}

/// The account, quoted for a GRANT; what it may do with these schemas; and its active roles.
///
/// # Errors
/// When the server doesn't say.
pub async fn grants(
    session: &mut Session,
    schemas: &[&str],
) -> Result<(String, Grants, String), Fault> {
    let account = session
        .say(
            "read the account",
            "SELECT CURRENT_USER(), CURRENT_ROLE(), @@global.partial_revokes",
        )
        .await?;
    let (user, host) = account
        .text(0, 0)
        .and_then(|account| {
            account
                .rsplit_once('@')
                .map(|(user, host)| (user.to_owned(), host.to_owned()))
        })
        .unwrap_or_default();
    let roles = account.text(0, 1).filter(|roles| roles != "NONE");
    let query = match &roles {
        Some(roles) => format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}"),
        None => "SHOW GRANTS".to_owned(),
    };
    let answer = session.say("read the account's privileges", &query).await?;
    let lines: Vec<String> = (0..answer.rows.len())
        .map(|row| text(&answer, row, 0))
        .collect();
    let meant = if account.number(0, 2) == Some(1) {
        SchemaNames::Literal
    } else {
        SchemaNames::Patterns
    };
    Ok((
        format!("{}@{}", text_literal(&user), text_literal(&host)),
        Grants::read(&lines, schemas, meant),
        roles.unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn winter_in_london_is_no_utc() {
        assert!(is_utc("SYSTEM", "UTC") && is_utc("GMT", "CET"));
        assert!(!is_utc("SYSTEM", "GMT") && !is_utc("Europe/Berlin", "UTC"));
    }
}
