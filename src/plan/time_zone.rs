//! The time zone in which rows are read and written.
//!
//! In a zone with daylight saving two moments have the same text. So a TIMESTAMP in the key finds its row
//! in UTC only, and INSERT … SELECT in such a zone moves a TIMESTAMP of the repeated hour, because it goes
//! by way of the text (`tests/zones.rs`, 9.7.4). The sessions that copy, refresh and verify run in UTC on
//! any server as long as nothing that they write or compare depends on their zone; what does is listed here.

use super::columns::{ColumnMap, SharedColumn};
use super::constraints::checks_of;
use super::inspection::{Column, Inspection, Table};
use super::key::KeyKind;
use super::pair::Moment;
use super::unique_key::SharedKey;
use super::{Refusal, Zone};

/// The zone for a migration.
///
/// # Errors
/// When the key needs UTC and something else needs the server's zone.
pub(super) fn zone(
    facts: &Inspection,
    original: &Table,
    ghost: &Table,
    map: &ColumnMap,
    key: &SharedKey,
) -> Result<Zone, Refusal> {
    if facts.server.time_zone_is_utc {
        return Ok(Zone::Server);
    }
    let walked = key
        .columns
        .iter()
        .find(|column| column.kind == KeyKind::Timestamp)
        .map(|column| column.name.clone());
    let copied = map.shared.iter().find(|shared| kept(shared));
    let (name, why) = match (walked, copied) {
        (Some(name), _) => (name, "in the key, so rows have to be read in UTC"),
        (None, Some(shared)) if !has_fixed_offset(&facts.server.time_zone) => (
            shared.from.name.clone(),
            "of which the moments in a repeated hour can be copied in UTC only",
        ),
        (None, _) => return moments_unmoved(&facts.server.time_zone, map).map(|()| Zone::Server),
    };
    let in_key = why.starts_with("in the key");
    // A plain ALTER that converts goes by way of the server's zone as well.
    if !in_key && map.shared.iter().any(converted) {
        return moments_unmoved(&facts.server.time_zone, map).map(|()| Zone::Server);
    }
    let Some(obstacle) = obstacle(original, ghost, map) else {
        return Ok(Zone::Utc);
    };
    Err(Refusal::new(
        format!(
            "column `{name}` is a TIMESTAMP {why}, but the server's time zone is {}, and {obstacle}",
            facts.server.time_zone
        ),
        "this needs a server in UTC (SET GLOBAL time_zone='+00:00'), or another key or ALTER",
    ))
}

/// A moment that an expression takes over from a TIMESTAMP would go by way of the zone's text, which may mean
/// two; an UPDATE keeps it.
fn moments_unmoved(zone: &str, map: &ColumnMap) -> Result<(), Refusal> {
    let stamp = |column: &Column| column.data_type == "timestamp";
    let mut backfilled = map.backfilled.iter().map(|column| &column.types);
    let taken_over = backfilled.find(|types| stamp(&types.from) && stamp(&types.to));
    let Some(types) = taken_over.filter(|_| !has_fixed_offset(zone)) else {
        return Ok(());
    };
    Err(Refusal::new(
        format!(
            "the backfill of column `{}` takes a TIMESTAMP over, of which the moments in a repeated hour can be \
             copied in UTC only, but the server's time zone is {zone}",
            types.to.name
        ),
        "this needs a server in UTC (SET GLOBAL time_zone='+00:00'); or RENAME the column, which needs no backfill",
    ))
}

/// The zone for a comparison of two tables that are there already.
///
/// # Errors
/// When some columns need UTC and others the server's zone.
pub(super) fn to_compare(
    moment: &Moment,
    map: &ColumnMap,
    key: &SharedKey,
) -> Result<Zone, String> {
    if moment.is_utc {
        return Ok(Zone::Server);
    }
    let walked = key
        .columns
        .iter()
        .find(|column| column.kind == KeyKind::Timestamp)
        .map(|column| &column.name);
    let repeats = !has_fixed_offset(&moment.zone);
    let kept = map.shared.iter().find(|shared| repeats && kept(shared));
    let in_utc = walked.or(kept.map(|shared| &shared.from.name));
    let in_zone = map.shared.iter().find(|shared| converted(shared));
    match (in_utc, in_zone) {
        (None, _) => Ok(Zone::Server),
        (Some(_), None) => Ok(Zone::Utc),
        (Some(one), Some(other)) => Err(format!(
            "column `{one}` can be compared in UTC only, and column `{}`, {} and {}, only in the \
             server's time zone, {}",
            other.from.name, other.from.column_type, other.to.column_type, moment.zone
        )),
    }
}

/// A zone without daylight saving, such as `+05:30`.
fn has_fixed_offset(zone: &str) -> bool {
    zone.starts_with(['+', '-'])
}

/// A TIMESTAMP on both sides, of the same kind.
fn kept(shared: &SharedColumn) -> bool {
    shared.from.data_type == "timestamp" && !converted(shared) && shared.to.data_type == "timestamp"
}

/// Names that go by the zone.
pub(super) const BY_ZONE: [&str; 4] =
    ["unix_timestamp", "from_unixtime", "convert_tz", "time_zone"];

/// Whether an expression may give another value in another zone: it mentions a TIMESTAMP, or a function
/// that goes by the zone.
fn depends(expression: &str, tables: [&Table; 2]) -> bool {
    let text = expression.to_lowercase();
    let mut stamps = tables
        .into_iter()
        .flat_map(|table| &table.columns)
        .filter(|column| column.data_type == "timestamp");
    BY_ZONE.iter().any(|word| text.contains(word))
        || stamps.any(|column| text.contains(&format!("`{}`", column.name.to_lowercase())))
}

/// What may come out otherwise in UTC.
fn obstacle(original: &Table, ghost: &Table, map: &ColumnMap) -> Option<String> {
    let tables = [original, ghost];
    let columns = || tables.into_iter().flat_map(|table| &table.columns);
    let indexes = || tables.into_iter().flat_map(|table| &table.indexes);
    let generated = |column: &&Column| column.generated() && depends(&column.generation, tables);
    if let Some(column) = columns().find(generated) {
        return Some(format!("column `{}` is computed by it", column.name));
    }
    let functional = |index: &&super::inspection::Index| {
        let mut parts = index.parts.iter();
        parts.any(|part| {
            part.expression
                .as_ref()
                .is_some_and(|text| depends(text, tables))
        })
    };
    if let Some(index) = indexes().find(functional) {
        return Some(format!("index `{}` has an expression", index.name));
    }
    // The original's rows have passed its own.
    let checks = checks_of(&ghost.definition);
    if let Some(check) = checks.iter().find(|check| depends(&check.clause, tables)) {
        return Some(format!("check constraint `{}` may use it", check.name));
    }
    if let Some(column) = columns().find(|column| shown_by_zone(column)) {
        return Some(format!(
            "TIMESTAMP column `{}` has a moment as its default",
            column.name
        ));
    }
    if let Some(shared) = map.shared.iter().find(|shared| converted(shared)) {
        return Some(format!(
            "column `{}` changes from {} to {}",
            shared.from.name, shared.from.column_type, shared.to.column_type
        ));
    }
    if let Some(filled) = map
        .backfilled
        .iter()
        .find(|column| column.by_zone(original))
    {
        return Some(format!(
            "the backfill of column `{}` may use it",
            filled.types.to.name
        ));
    }
    let added = |column: &&Column| map.original_of(&column.name).is_none();
    let mut added = ghost.columns.iter().filter(added);
    added
        .find(|column| {
            let text = column.default.as_deref().unwrap_or_default();
            column.extra.contains("DEFAULT_GENERATED") && depends(text, [original, original])
        })
        .map(|column| format!("the added column `{}` has a default by it", column.name))
}

/// SHOW CREATE TABLE shows such a default in the session's zone, so the shape of a table would seem
/// to change. A zero is the same in every zone.
fn shown_by_zone(column: &Column) -> bool {
    column.data_type == "timestamp"
        && !column.extra.contains("DEFAULT_GENERATED")
        && column
            .default
            .as_deref()
            .is_some_and(|default| !default.starts_with("0000-00-00"))
}

/// Even with another number of digits the server goes by way of the session's zone.
fn converted(shared: &SharedColumn) -> bool {
    let timestamp = |column: &Column| column.data_type == "timestamp";
    (timestamp(&shared.from) || timestamp(&shared.to))
        && shared.from.column_type != shared.to.column_type
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::alter::parse;
    use crate::plan::columns::{Fillings, map_columns};
    use crate::plan::inspection::{Index, IndexPart};
    use crate::plan::unique_key::choose;
    use crate::plan::{NullInKey, Renames};

    const AT: Fillings<'_> = Fillings {
        now: "2026-01-01 00:00:00",
        backfills: &[],
    };

    fn column(name: &str, column_type: &str) -> Column {
        Column {
            name: name.into(),
            data_type: column_type.split('(').next().unwrap_or_default().into(),
            column_type: column_type.into(),
            ..Column::default()
        }
    }

    fn table() -> Table {
        let part = |name: &str| IndexPart {
            column: Some(name.into()),
            prefix: false,
            expression: None,
        };
        Table {
            columns: vec![
                column("id", "int"),
                column("at", "timestamp(6)"),
                column("v", "int"),
            ],
            indexes: vec![Index {
                name: "PRIMARY".into(),
                unique: true,
                parts: vec![part("id"), part("at")],
            }],
            ..Table::default()
        }
    }

    fn found(original: &Table, ghost: &Table, alter: &str, utc: bool) -> Result<Zone, Refusal> {
        let mut facts = Inspection::default();
        facts.server.time_zone_is_utc = utc;
        let alter = parse(alter).expect("a good ALTER");
        let map = map_columns(original, ghost, &alter, (Renames::Followed, AT)).expect("a map");
        let key = choose(original, ghost, &map, NullInKey::Refused).expect("a key");
        zone(&facts, original, ghost, &map, &key)
    }

    #[test]
    fn a_timestamp_in_the_key_is_walked_in_utc() {
        let same = "ENGINE=InnoDB";
        assert_eq!(found(&table(), &table(), same, false), Ok(Zone::Utc));
        assert_eq!(found(&table(), &table(), same, true), Ok(Zone::Server));
        let mut other = table();
        other.columns[1] = column("at", "datetime");
        assert_eq!(found(&other, &other, same, false), Ok(Zone::Server));
        let mut by_clock = table();
        by_clock.columns[1].default = Some("CURRENT_TIMESTAMP(6)".into());
        by_clock.columns[1].extra = "DEFAULT_GENERATED".into();
        assert_eq!(found(&by_clock, &by_clock, same, false), Ok(Zone::Utc));
        by_clock.columns[1] = column("at", "timestamp");
        by_clock.columns[1].default = Some("0000-00-00 00:00:00".into());
        assert_eq!(found(&by_clock, &by_clock, same, false), Ok(Zone::Utc));
    }

    #[test]
    fn what_depends_on_the_zone_speaks_against_utc() {
        type Change = fn(&mut Table);
        let changes: [(&str, &str, Change); 7] = [
            ("computed by it", "ADD v2 INT", |table| {
                let mut column = column("v2", "int");
                column.extra = "VIRTUAL GENERATED".into();
                column.generation = "to_days(`at`)".into();
                table.columns.push(column);
            }),
            ("expression", "ENGINE=InnoDB", |table| {
                table.indexes.push(Index {
                    name: "f".into(),
                    unique: false,
                    parts: vec![IndexPart {
                        column: None,
                        prefix: false,
                        expression: Some("year(`at`)".into()),
                    }],
                });
            }),
            ("check constraint", "ENGINE=InnoDB", |table| {
                table.definition = "(\n  CONSTRAINT `c` CHECK ((`at` > 0))\n)".into();
            }),
            ("moment as its default", "ENGINE=InnoDB", |table| {
                table.columns[1].default = Some("2020-01-01 00:00:00".into());
            }),
            ("changes from", "MODIFY at TIMESTAMP(6)", |table| {
                table.columns[1] = column("at", "timestamp(7)");
                table.columns[1].fraction_digits = 7;
            }),
            ("changes from", "MODIFY v TIMESTAMP", |table| {
                table.columns[2] = column("v", "timestamp");
            }),
            (
                "added column",
                "ADD v2 INT DEFAULT (from_unixtime(1))",
                |table| {
                    let mut column = column("v2", "int");
                    column.default = Some("from_unixtime(1)".into());
                    column.extra = "DEFAULT_GENERATED".into();
                    table.columns.push(column);
                },
            ),
        ];
        for (reason, alter, change) in changes {
            let mut ghost = table();
            change(&mut ghost);
            let refusal = found(&table(), &ghost, alter, false).expect_err(reason);
            assert!(refusal.what.contains(reason), "{reason}: {}", refusal.what);
            assert_eq!(found(&table(), &ghost, alter, true), Ok(Zone::Server));
        }
    }

    /// With another key, so that only the copied values matter.
    fn beside_the_key() -> Table {
        let mut table = table();
        table.indexes[0].parts.truncate(1);
        table
    }

    fn in_zone(zone_name: &str, ghost: &Table, alter: &str) -> Result<Zone, Refusal> {
        let mut facts = Inspection::default();
        facts.server.time_zone = zone_name.into();
        let original = beside_the_key();
        let alter = parse(alter).expect("a good ALTER");
        let now = (Renames::Followed, AT);
        let map = map_columns(&original, ghost, &alter, now).expect("a map");
        let key = choose(&original, ghost, &map, NullInKey::Refused).expect("a key");
        zone(&facts, &original, ghost, &map, &key)
    }

    #[test]
    fn a_copied_timestamp_needs_utc_where_an_hour_is_repeated() {
        let same = beside_the_key();
        assert_eq!(in_zone("Europe/Berlin", &same, "FORCE"), Ok(Zone::Utc));
        assert_eq!(in_zone("SYSTEM", &same, "FORCE"), Ok(Zone::Utc));
        assert_eq!(in_zone("+05:30", &same, "FORCE"), Ok(Zone::Server));
        let mut converted = beside_the_key();
        converted.columns[2] = column("v", "timestamp");
        let alter = "MODIFY v TIMESTAMP";
        assert_eq!(
            in_zone("SYSTEM", &converted, alter),
            Ok(Zone::Server),
            "as ALTER does"
        );
        let mut computed = beside_the_key();
        let mut day = column("day", "date");
        day.extra = "STORED GENERATED".into();
        day.generation = "cast(`at` as date)".into();
        computed.columns.push(day);
        let refusal = in_zone("SYSTEM", &computed, "ADD day DATE AS (DATE(at)) STORED");
        assert!(refusal.is_err());
    }
}
