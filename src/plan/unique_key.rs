//! The choice of the shared unique key: the one by which rows of both tables are paired.

use super::NullInKey;
use super::columns::{ColumnMap, SharedColumn};
use super::inspection::{Column, Index, Table, same_name};
use super::key::{KeyColumn, KeyKind};

/// The shared unique key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedKey {
    /// Its index in the original, which also gives the order in which chunks walk.
    pub original_index: String,
    /// The index that finds a row in the ghost; it may be another one with the same columns.
    pub ghost_index: String,
    /// Its columns in the order of the original's index.
    pub columns: Vec<KeyColumn>,
    /// A key can be told apart by its bytes; otherwise only one refresh runs at a time.
    pub byte_comparable: bool,
    /// A range of keys in the original is the same range in the ghost.
    pub same_order: bool,
    /// Columns that accept NULL, by their names in the original. A row with a NULL there belongs to no
    /// chunk and to no key: there must be none after the start barrier, and the event of a later one
    /// ends the run.
    pub nullable: Vec<String>,
}

impl SharedKey {
    /// The key is one integer: its numbers can be counted without asking the server.
    #[must_use]
    pub fn is_one_integer(&self) -> bool {
        matches!(self.columns.as_slice(), [column] if column.is_integer())
    }
}

/// A unique key of the ghost that the original does not enforce: it can lose rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntroducedKey {
    /// Name in the ghost.
    pub name: String,
    /// Its columns in the ghost; empty when it has prefixes or expressions, so that only the copy
    /// itself can tell whether it holds.
    pub columns: Vec<String>,
}

/// Picks the key, or tells why each candidate can't be it.
///
/// # Errors
/// One line per unique key of the original with the reason against it; empty when it has none.
pub fn choose(
    original: &Table,
    ghost: &Table,
    map: &ColumnMap,
    null: NullInKey,
) -> Result<SharedKey, Vec<String>> {
    let mut reasons = Vec::new();
    let mut found: Option<(Rank, SharedKey)> = None;
    let clustered = clustered(original);
    for index in original.indexes.iter().filter(|index| index.unique) {
        match candidate(index, original, ghost, map, null) {
            Ok(key) => {
                let rank = rank(&key, clustered);
                if found.as_ref().is_none_or(|(best, _)| rank < *best) {
                    found = Some((rank, key));
                }
            }
            Err(reason) => reasons.push(format!("`{}`: {reason}", index.name)),
        }
    }
    found.map(|(_, key)| key).ok_or(reasons)
}

/// The index in which InnoDB keeps the rows: the primary key, or else the first unique key without
/// NULL (manual, "Clustered and Secondary Indexes"). Row events with minimal images have its columns.
fn clustered(table: &Table) -> Option<&str> {
    let without_null = |index: &&Index| {
        index.unique
            && index.parts.iter().all(|part| {
                let column = part.column.as_deref().and_then(|name| table.column(name));
                !part.prefix && column.is_some_and(|column| !column.nullable)
            })
    };
    let indexes = &table.indexes;
    let primary = indexes.iter().find(|index| index.name == "PRIMARY");
    primary
        .or_else(|| indexes.iter().find(without_null))
        .map(|index| index.name.as_str())
}

type Rank = (bool, bool, u32, usize);

/// A key without NULL first, of those the clustered index, then few and narrow numeric columns.
fn rank(key: &SharedKey, clustered: Option<&str>) -> Rank {
    let other = clustered != Some(key.original_index.as_str());
    let width = key
        .columns
        .iter()
        .map(|column| match column.kind {
            KeyKind::Int | KeyKind::UInt => 1,
            KeyKind::Date | KeyKind::DateTime | KeyKind::Timestamp | KeyKind::Time => 2,
            KeyKind::Decimal | KeyKind::Double => 4,
            KeyKind::Bytes => 8,
        })
        .sum();
    (!key.nullable.is_empty(), other, width, key.columns.len())
}

fn candidate(
    index: &Index,
    original: &Table,
    ghost: &Table,
    map: &ColumnMap,
    null: NullInKey,
) -> Result<SharedKey, String> {
    let names = plain_columns(index)?;
    let mut columns = Vec::new();
    let mut same_order = true;
    let mut nullable = Vec::new();
    for name in &names {
        let column = original
            .column(name)
            .ok_or("its columns could not be read")?;
        if column.nullable {
            if null == NullInKey::Refused {
                return Err(format!("column `{}` accepts NULL", column.name));
            }
            nullable.push(column.name.clone());
        }
        let computed = same_computation(column, (original, ghost), map);
        let shared = computed
            .as_ref()
            .or_else(|| map.find(name))
            .ok_or_else(|| format!("column `{name}` is not in the altered table"))?;
        columns.push(key_column(shared)?);
        same_order &= shared.from.collation == shared.to.collation;
    }
    let partner =
        ghost_partner(&columns, ghost, null).ok_or("the altered table doesn't enforce it")?;
    same_order &= partner.parts.iter().zip(&columns).all(|(part, column)| {
        part.column
            .as_deref()
            .is_some_and(|name| same_name(name, &column.ghost_name))
    });
    Ok(SharedKey {
        original_index: index.name.clone(),
        ghost_index: partner.name.clone(),
        byte_comparable: columns.iter().all(KeyColumn::byte_comparable),
        columns,
        same_order,
        nullable,
    })
}

/// A stored generated column isn't copied, but it has the same values on both sides when it is
/// computed from the same expression over columns that keep their types.
fn same_computation(
    column: &Column,
    (original, ghost): (&Table, &Table),
    map: &ColumnMap,
) -> Option<SharedColumn> {
    let to = ghost.column(&column.name)?;
    let stored = |column: &Column| {
        column
            .extra
            .to_ascii_uppercase()
            .contains("STORED GENERATED")
    };
    let same = column.generation == to.generation && computed_alike(original, ghost, map);
    (stored(column) && stored(to) && same).then(|| SharedColumn {
        from: column.clone(),
        to: to.clone(),
    })
}

fn plain_columns(index: &Index) -> Result<Vec<String>, String> {
    index
        .parts
        .iter()
        .map(|part| match (&part.column, part.prefix) {
            (Some(name), false) => Ok(name.clone()),
            (Some(name), true) => Err(format!("only a prefix of column `{name}` is indexed")),
            (None, _) => Err("it indexes an expression".to_owned()),
        })
        .collect()
}

/// A unique index of the ghost over exactly the key's columns, in any order, without NULL.
fn ghost_partner<'a>(
    columns: &[KeyColumn],
    ghost: &'a Table,
    null: NullInKey,
) -> Option<&'a Index> {
    let fits = |index: &&Index| {
        index.unique
            && index.parts.len() == columns.len()
            && index.parts.iter().all(|part| {
                !part.prefix
                    && part.column.as_deref().is_some_and(|name| {
                        columns
                            .iter()
                            .any(|column| same_name(&column.ghost_name, name))
                            && ghost.column(name).is_some_and(|column| {
                                null == NullInKey::Watched || !column.nullable
                            })
                    })
            })
    };
    let mut partners: Vec<&Index> = ghost.indexes.iter().filter(fits).collect();
    let in_order = |index: &Index| {
        index.parts.iter().zip(columns).all(|(part, column)| {
            part.column
                .as_deref()
                .is_some_and(|name| same_name(name, &column.ghost_name))
        })
    };
    partners.sort_by_key(|index| (!in_order(index), index.name != "PRIMARY"));
    partners.first().copied()
}

/// How a key column is carried, or why its value can't find the row in the ghost again.
fn key_column(shared: &SharedColumn) -> Result<KeyColumn, String> {
    let (from, to) = (&shared.from, &shared.to);
    let kind = kind_of(from)?;
    same_value_on_both_sides(from, to, kind)?;
    let text = from.charset.is_some();
    Ok(KeyColumn {
        name: from.name.clone(),
        ghost_name: to.name.clone(),
        ordinal: from.ordinal,
        kind,
        data_type: from.data_type.clone(),
        charset: if text && kind == KeyKind::Bytes {
            from.charset.clone()
        } else {
            None
        },
        collation: if text && kind == KeyKind::Bytes {
            from.collation.clone()
        } else {
            None
        },
        ghost_text: match (&to.charset, &to.collation) {
            (Some(charset), Some(collation)) if kind == KeyKind::Bytes => {
                Some((charset.clone(), collation.clone()))
            }
            _ => None,
        },
        binary_length: if from.data_type == "binary" {
            from.octet_length
                .and_then(|length| usize::try_from(length).ok())
        } else {
            None
        },
    })
}

fn kind_of(column: &Column) -> Result<KeyKind, String> {
    Ok(match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => {
            if column.unsigned() {
                KeyKind::UInt
            } else {
                KeyKind::Int
            }
        }
        // Compared with a number a SET is a DOUBLE, which has 53 bits; of 64 members the last one makes
        // it negative as well (manual, "The SET Type"; observed on 9.7.4).
        "set" if column.column_type.matches(',').count() >= 53 => {
            return Err(format!(
                "column `{}` is a set of more than 53 members, which the server doesn't compare \
                 exactly",
                column.name
            ));
        }
        "year" | "bit" | "enum" | "set" => KeyKind::UInt,
        "decimal" => KeyKind::Decimal,
        "date" => KeyKind::Date,
        "datetime" => KeyKind::DateTime,
        "timestamp" => KeyKind::Timestamp,
        "time" => KeyKind::Time,
        "char" | "varchar" | "binary" | "varbinary" => KeyKind::Bytes,
        "double" => KeyKind::Double,
        // The server compares a FLOAT with a literal as DOUBLE, so 0.3 doesn't find 0.3 (manual,
        // "Problems with Floating-Point Values").
        "float" => {
            return Err(format!(
                "column `{}` is float, which no literal equals exactly",
                column.name
            ));
        }
        other => {
            return Err(format!(
                "column `{}` is {other}, which can't be walked",
                column.name
            ));
        }
    })
}

/// A key value is sent as the original holds it and must find the ghost's row; conversions that
/// change what the value is compared as are refused for key columns.
fn same_value_on_both_sides(from: &Column, to: &Column, kind: KeyKind) -> Result<(), String> {
    let fine = match kind {
        KeyKind::Int | KeyKind::UInt => match from.data_type.as_str() {
            "enum" | "set" | "bit" | "year" => from.column_type == to.column_type,
            _ => matches!(
                to.data_type.as_str(),
                "tinyint" | "smallint" | "mediumint" | "int" | "bigint"
            ),
        },
        // A display width makes the server round.
        KeyKind::Double => {
            to.data_type == "double"
                && (from.column_type == to.column_type || !to.column_type.contains('('))
        }
        KeyKind::Decimal => {
            to.data_type == "decimal"
                && from
                    .decimal
                    .zip(to.decimal)
                    .is_some_and(|((_, from), (_, to))| to >= from)
        }
        KeyKind::Date | KeyKind::DateTime | KeyKind::Timestamp | KeyKind::Time => {
            from.data_type == to.data_type && to.fraction_digits >= from.fraction_digits
        }
        KeyKind::Bytes => match (&from.charset, &to.charset) {
            (Some(one), Some(other)) => {
                let widened = other == "utf8mb4" || one == "ascii";
                let never_padded = from.data_type == to.data_type || to.data_type == "varchar";
                (one == other || widened) && never_padded
            }
            (None, None) => {
                from.column_type == to.column_type
                    || (to.data_type == "varbinary" && to.octet_length >= from.octet_length)
            }
            _ => false,
        },
    };
    if fine {
        return Ok(());
    }
    Err(format!(
        "column `{}` changes from {} to {}, so a key no longer finds its row",
        from.name, from.column_type, to.column_type
    ))
}

/// Unique keys of the ghost that the original does not enforce at least as strictly.
#[must_use]
pub fn introduced(original: &Table, ghost: &Table, map: &ColumnMap) -> Vec<IntroducedKey> {
    ghost
        .indexes
        .iter()
        .filter(|index| index.unique && !enforced_before(index, original, ghost, map))
        .map(|index| IntroducedKey {
            name: index.name.clone(),
            columns: index
                .parts
                .iter()
                .filter_map(|part| part.column.clone())
                .collect(),
        })
        .collect()
}

/// What makes two rows the same under a unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term<'a> {
    /// A column of the ghost.
    pub column: &'a str,
    /// Only so many characters, or bytes of a binary string, count.
    pub prefix: Option<u64>,
}

/// The terms of an introduced key; `None` for one with expressions, about which only the copy can
/// tell.
#[must_use]
pub fn terms<'a>(ghost: &Table, key: &'a IntroducedKey) -> Option<Vec<Term<'a>>> {
    let index = ghost.indexes.iter().find(|index| index.name == key.name)?;
    if index.parts.iter().any(|part| part.column.is_none()) {
        return None;
    }
    let prefixes = prefixes(&ghost.definition, &key.name);
    let prefixes = prefixes.into_iter().chain(std::iter::repeat(None));
    let columns = key.columns.iter().zip(prefixes);
    Some(
        columns
            .map(|(column, prefix)| Term { column, prefix })
            .collect(),
    )
}

/// The lengths of an index's parts, as SHOW CREATE TABLE has them.
fn prefixes(definition: &str, index: &str) -> Vec<Option<u64>> {
    let head = format!("  UNIQUE KEY `{}` (", index.replace('`', "``"));
    let Some(parts) = definition.lines().find_map(|line| line.strip_prefix(&head)) else {
        return Vec::new();
    };
    let mut lengths = Vec::new();
    // Names stand in back-quotes; a doubled one leaves an empty piece outside, which is no part.
    for (position, piece) in parts.split('`').enumerate().skip(1) {
        if position % 2 == 1 || piece.is_empty() {
            continue;
        }
        let length = piece
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'));
        lengths.push(length.and_then(|(digits, _)| digits.parse().ok()));
        if !piece.contains(',') {
            break;
        }
    }
    lengths
}

/// Some unique key of the original consists of columns of this one, compared the same way, or has
/// the very same expressions.
fn enforced_before(index: &Index, original: &Table, ghost: &Table, map: &ColumnMap) -> bool {
    if index.parts.iter().any(|part| part.column.is_none()) {
        let same = |own: &Index| own.unique && own.parts == index.parts;
        return computed_alike(original, ghost, map) && original.indexes.iter().any(same);
    }
    let computed = |name: &str| same_computation(original.column(name)?, (original, ghost), map);
    let sources: Vec<SharedColumn> = index
        .parts
        .iter()
        .filter(|part| !part.prefix)
        .filter_map(|part| part.column.as_deref())
        .filter_map(|name| map.original_of(name).cloned().or_else(|| computed(name)))
        .filter(compared_alike)
        .collect();
    original.indexes.iter().filter(|own| own.unique).any(|own| {
        own.parts.iter().all(|part| {
            !part.prefix
                && part.column.as_deref().is_some_and(|name| {
                    sources
                        .iter()
                        .any(|shared| same_name(&shared.from.name, name))
                })
        })
    })
}

/// What is computed of the original's columns is the same in the ghost, and of the same kind.
fn computed_alike(original: &Table, ghost: &Table, map: &ColumnMap) -> bool {
    // The same text means the same only if each name in it does: a column may have got the name of another one,
    // which was renamed, dropped or backfilled, or be computed otherwise itself.
    let means_the_same = |own: &Column| {
        ghost.column(&own.name).is_none_or(|to| {
            if own.generated() || to.generated() {
                return own.generated() == to.generated() && own.generation == to.generation;
            }
            let source = map.original_of(&to.name);
            source.is_some_and(|shared| same_name(&shared.from.name, &own.name))
        })
    };
    original.columns.iter().all(means_the_same) && map.shared.iter().all(compared_alike)
}

/// Different values stay different: the type is the same or holds the old one entirely.
fn compared_alike(shared: &SharedColumn) -> bool {
    let (from, to) = (&shared.from, &shared.to);
    from.column_type == to.column_type && from.collation == to.collation
        || kind_of(from).is_ok_and(|kind| {
            from.collation == to.collation && same_value_on_both_sides(from, to, kind).is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::super::inspection::IndexPart;
    use super::*;

    fn column(name: &str, column_type: &str) -> Column {
        let data_type: String = column_type
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        let text = matches!(data_type.as_str(), "char" | "varchar");
        Column {
            name: name.into(),
            column_type: column_type.into(),
            charset: text.then(|| "latin1".into()),
            collation: text.then(|| "latin1_swedish_ci".into()),
            octet_length: Some(8),
            data_type,
            ..Column::default()
        }
    }

    fn index(name: &str, columns: &[&str]) -> Index {
        let parts = columns
            .iter()
            .map(|column| IndexPart {
                column: Some((*column).into()),
                prefix: false,
                expression: None,
            })
            .collect();
        Index {
            name: name.into(),
            unique: true,
            parts,
        }
    }

    fn table(columns: Vec<Column>, indexes: Vec<Index>) -> Table {
        Table {
            columns,
            indexes,
            ..Table::default()
        }
    }

    fn all_shared(original: &Table, ghost: &Table) -> ColumnMap {
        let shared = original
            .columns
            .iter()
            .filter_map(|from| {
                let to = ghost.column(&from.name)?.clone();
                Some(SharedColumn {
                    from: from.clone(),
                    to,
                })
            })
            .collect();
        ColumnMap {
            shared,
            ..ColumnMap::default()
        }
    }

    fn chosen(original: &Table, ghost: &Table) -> Result<SharedKey, Vec<String>> {
        choose(
            original,
            ghost,
            &all_shared(original, ghost),
            NullInKey::Refused,
        )
    }

    #[test]
    fn the_primary_key_is_preferred_and_its_type_may_widen() {
        let original = table(
            vec![column("id", "int"), column("u", "int")],
            vec![index("a_u", &["u"]), index("PRIMARY", &["id"])],
        );
        let mut ghost = original.clone();
        ghost.columns[0] = column("id", "bigint");
        let key = chosen(&original, &ghost).expect("a key");
        assert_eq!(key.original_index, "PRIMARY");
        assert!(key.byte_comparable && key.same_order);
        assert!(introduced(&original, &ghost, &all_shared(&original, &ghost)).is_empty());
    }

    #[test]
    fn a_key_that_accepts_null_needs_permission_and_comes_last() {
        let nullable = |name: &str| Column {
            nullable: true,
            ..column(name, "int")
        };
        let columns = vec![nullable("a"), column("b", "varchar")];
        let mut original = table(columns, vec![index("by_a", &["a"])]);
        let choose = |table: &Table, null| choose(table, table, &all_shared(table, table), null);
        let reasons = choose(&original, NullInKey::Refused).expect_err("no permission");
        assert!(reasons[0].contains("accepts NULL"), "{}", reasons[0]);
        let key = choose(&original, NullInKey::Watched).expect("a key");
        assert_eq!(key.nullable, ["a"]);
        // Even a wide text key, if it is without NULL.
        original.indexes.push(index("by_b", &["b"]));
        let key = choose(&original, NullInKey::Watched).expect("a key");
        assert_eq!(key.original_index, "by_b");
        assert!(key.nullable.is_empty());
    }

    #[test]
    fn a_changed_primary_key_leaves_another_shared_key() {
        let columns = vec![column("id", "int"), column("u", "int")];
        let original = table(
            columns.clone(),
            vec![index("PRIMARY", &["id"]), index("u", &["u"])],
        );
        let ghost = table(columns, vec![index("PRIMARY", &["u"])]);
        let key = chosen(&original, &ghost).expect("a key");
        assert_eq!(
            (key.original_index.as_str(), key.ghost_index.as_str()),
            ("u", "PRIMARY")
        );
    }

    #[test]
    fn an_extended_primary_key_no_longer_enforces_the_old_one() {
        let columns = vec![column("id", "int"), column("i", "int")];
        let original = table(columns.clone(), vec![index("PRIMARY", &["id"])]);
        let ghost = table(columns, vec![index("PRIMARY", &["id", "i"])]);
        assert!(chosen(&original, &ghost).is_err());
    }

    #[test]
    fn columns_in_another_order_pair_but_do_not_share_ranges() {
        let columns = vec![column("a", "int"), column("b", "int")];
        let original = table(columns.clone(), vec![index("PRIMARY", &["a", "b"])]);
        let ghost = table(columns, vec![index("PRIMARY", &["b", "a"])]);
        let key = chosen(&original, &ghost).expect("a key");
        assert!(!key.same_order);
    }

    #[test]
    fn text_keys_are_not_told_apart_by_bytes_and_new_collations_change_the_order() {
        let original = table(
            vec![column("k", "varchar(8)")],
            vec![index("PRIMARY", &["k"])],
        );
        let mut ghost = original.clone();
        assert!(!chosen(&original, &ghost).expect("a key").byte_comparable);
        ghost.columns[0].charset = Some("utf8mb4".into());
        ghost.columns[0].collation = Some("utf8mb4_0900_ai_ci".into());
        assert!(!chosen(&original, &ghost).expect("a key").same_order);
        // The new collation may call two old keys equal, so the key counts as introduced.
        assert_eq!(
            introduced(&original, &ghost, &all_shared(&original, &ghost)).len(),
            1
        );
        ghost.columns[0].charset = Some("ascii".into());
        assert!(chosen(&original, &ghost).is_err());
    }

    #[test]
    fn each_refused_candidate_says_why() {
        let mut nullable = column("n", "int");
        nullable.nullable = true;
        let original = table(
            vec![nullable, column("f", "float")],
            vec![index("n", &["n"]), index("f", &["f"])],
        );
        let reasons = chosen(&original, &original.clone()).expect_err("none fits");
        assert!(reasons[0].contains("accepts NULL"), "{reasons:?}");
        assert!(
            reasons[1].contains("no literal equals exactly"),
            "{reasons:?}"
        );
    }

    #[test]
    fn a_set_of_more_members_than_a_double_has_bits_is_no_key() {
        for (members, fits) in [(53, true), (54, false)] {
            let list: Vec<String> = (0..members).map(|n| format!("'m{n}'")).collect();
            let mut set = column("s", "set");
            set.column_type = format!("set({})", list.join(","));
            let original = table(vec![set], vec![index("PRIMARY", &["s"])]);
            assert_eq!(
                chosen(&original, &original.clone()).is_ok(),
                fits,
                "{members}"
            );
        }
    }

    #[test]
    fn prefixes_are_read_from_the_definition() {
        let definition = "CREATE TABLE `t` (\n  `a` text,\n  UNIQUE KEY `u``1` (`a``b`(3),`c` DESC,`d,(2)`(20)) \
                          USING BTREE COMMENT 'x`(9)',\n  UNIQUE KEY `u` (`a`)\n)";
        assert_eq!(prefixes(definition, "u`1"), [Some(3), None, Some(20)]);
        assert_eq!(prefixes(definition, "u"), [None]);
        assert_eq!(prefixes(definition, "v"), []);
    }

    #[test]
    fn only_a_key_of_columns_has_terms() {
        let mut ghost = table(vec![column("a", "int")], vec![index("u", &["a"])]);
        ghost.definition = "  UNIQUE KEY `u` (`a`(3))".into();
        let key = IntroducedKey {
            name: "u".into(),
            columns: vec!["a".into()],
        };
        let term = Term {
            column: "a",
            prefix: Some(3),
        };
        assert_eq!(terms(&ghost, &key), Some(vec![term]));
        ghost.indexes[0]
            .parts
            .push(super::super::inspection::IndexPart {
                column: None,
                prefix: false,
                expression: Some("lower(a)".into()),
            });
        assert_eq!(terms(&ghost, &key), None);
    }

    #[test]
    fn renumbered_enums_and_padded_text_do_not_find_their_rows() {
        for (from, to) in [
            ("enum('a','b')", "enum('b','a')"),
            ("binary(8)", "binary(16)"),
            ("varchar(8)", "char(8)"),
            ("int", "varchar(8)"),
            ("double", "double(10,2)"),
            ("double", "float"),
        ] {
            let original = table(vec![column("k", from)], vec![index("PRIMARY", &["k"])]);
            let ghost = table(vec![column("k", to)], vec![index("PRIMARY", &["k"])]);
            assert!(chosen(&original, &ghost).is_err(), "{from} to {to}");
        }
    }

    #[test]
    fn a_new_unique_key_is_introduced_and_a_wider_one_is_not() {
        let columns = vec![column("id", "int"), column("u", "int")];
        let original = table(columns.clone(), vec![index("PRIMARY", &["id"])]);
        let ghost = table(
            columns,
            vec![
                index("PRIMARY", &["id"]),
                index("wide", &["u", "id"]),
                index("new", &["u"]),
            ],
        );
        let introduced = introduced(&original, &ghost, &all_shared(&original, &ghost));
        assert_eq!(
            introduced
                .iter()
                .map(|key| key.name.as_str())
                .collect::<Vec<_>>(),
            ["new"]
        );
    }
}
