//! Two tables that are to be compared with each other, without an ALTER between them.
//!
//! Columns belong together by their names; rows by a unique key that both tables have. What the two have
//! not in common is told, because "alike" would otherwise promise too much.

use super::columns::{ColumnMap, SharedColumn};
use super::inspection::{Column, Table};
use super::unique_key::{self, SharedKey};
use super::{NullInKey, Zone, time_zone};

/// Where the server stands in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Its time zone.
    pub zone: String,
    /// That is UTC.
    pub is_utc: bool,
}

/// Two tables that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Their schemas and names.
    pub names: [(String, String); 2],
    /// The second one, as the catalogue has it.
    pub other: Table,
    /// Columns of both.
    pub shared: Vec<SharedColumn>,
    /// The key that pairs the rows.
    pub key: SharedKey,
    /// The time zone of the sessions that compare.
    pub zone: Zone,
    /// Columns of the first or the second table alone.
    pub alone: [Vec<String>; 2],
}

/// Pairs two tables.
///
/// # Errors
/// Why they can't be compared.
pub fn pair(
    names: [(String, String); 2],
    one: &Table,
    other: Table,
    moment: &Moment,
) -> Result<Pair, String> {
    let shared: Vec<SharedColumn> = one
        .columns
        .iter()
        .filter_map(|from| {
            let to = other.column(&from.name)?.clone();
            Some(SharedColumn {
                from: from.clone(),
                to,
            })
        })
        .collect();
    let lacking = |of: &[Column], in_other: &Table| -> Vec<String> {
        let names = of.iter().map(|column| column.name.clone());
        names
            .filter(|name| in_other.column(name).is_none())
            .collect()
    };
    let alone = [lacking(&one.columns, &other), lacking(&other.columns, one)];
    let map = ColumnMap {
        shared,
        ..ColumnMap::default()
    };
    let key =
        unique_key::choose(one, &other, &map, NullInKey::Refused).map_err(
            |reasons| match reasons.is_empty() {
                true => "no unique key can pair their rows: the first has none".to_owned(),
                false => format!("no unique key can pair their rows: {}", reasons.join("; ")),
            },
        )?;
    let zone = time_zone::to_compare(moment, &map, &key)?;
    Ok(Pair {
        names,
        other,
        shared: map.shared,
        key,
        zone,
        alone,
    })
}

#[cfg(test)]
mod tests {
    use super::super::inspection::{Index, IndexPart};
    use super::*;

    fn column(name: &str, data_type: &str) -> Column {
        Column {
            name: name.into(),
            column_type: data_type.into(),
            data_type: data_type.into(),
            ..Column::default()
        }
    }

    fn table(key: &str, columns: &[(&str, &str)]) -> Table {
        Table {
            columns: columns
                .iter()
                .map(|(name, data_type)| column(name, data_type))
                .collect(),
            indexes: vec![Index {
                name: "PRIMARY".into(),
                unique: true,
                parts: vec![IndexPart {
                    column: Some(key.into()),
                    prefix: false,
                    expression: None,
                }],
            }],
            ..Table::default()
        }
    }

    fn paired(one: &Table, other: Table, zone: &str) -> Result<Pair, String> {
        let names = ["a", "b"].map(|name| ("d".to_owned(), name.to_owned()));
        let moment = Moment {
            zone: zone.into(),
            is_utc: zone == "UTC",
        };
        pair(names, one, other, &moment)
    }

    #[test]
    fn columns_belong_together_by_name_and_what_is_alone_is_told() {
        let one = table("id", &[("id", "int"), ("v", "int"), ("x", "int")]);
        let other = table("ID", &[("y", "int"), ("V", "bigint"), ("ID", "bigint")]);
        let pair = paired(&one, other, "UTC").expect("a pair");
        let names: Vec<&str> = pair
            .shared
            .iter()
            .map(|shared| shared.to.name.as_str())
            .collect();
        assert_eq!(names, ["ID", "V"]);
        assert_eq!(pair.alone, [vec!["x".to_owned()], vec!["y".to_owned()]]);
        assert_eq!(pair.key.ghost_index, "PRIMARY");
    }

    #[test]
    fn tables_without_a_common_key_are_no_pair() {
        let one = table("id", &[("id", "int"), ("v", "int")]);
        let other = table("v", &[("id", "int"), ("v", "int")]);
        let why = paired(&one, other, "UTC").expect_err("no key");
        assert!(why.starts_with("no unique key"), "{why}");
    }

    #[test]
    fn moments_are_compared_in_utc_unless_some_were_converted() {
        let stamp = |name, data_type| table("id", &[("id", "int"), (name, data_type)]);
        let one = stamp("at", "timestamp");
        let zone = |other: Table, zone| paired(&one, other, zone).map(|pair| pair.zone);
        assert_eq!(zone(one.clone(), "Europe/Berlin"), Ok(Zone::Utc));
        let converted = || stamp("at", "datetime");
        assert_eq!(zone(converted(), "Europe/Berlin"), Ok(Zone::Server));
        let both = |of_second| {
            table(
                "id",
                &[("id", "int"), ("at", "timestamp"), ("since", of_second)],
            )
        };
        let why = paired(&both("timestamp"), both("datetime"), "Europe/Berlin");
        let why = why.expect_err("no zone does for both");
        assert!(why.contains("`at`") && why.contains("`since`"), "{why}");
        assert!(paired(&both("timestamp"), both("datetime"), "+05:30").is_ok());
        let by_moment = |of_second| table("at", &[("at", "timestamp"), ("since", of_second)]);
        paired(&by_moment("timestamp"), by_moment("datetime"), "+05:30")
            .expect_err("the key needs UTC");
    }
}
