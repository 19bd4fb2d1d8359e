//! The statements as text, read in review like any other code.

use super::*;
use crate::core::chunk::Chunk;
use crate::core::copy::Locking;
use crate::plan::columns::{ColumnMap, ConstantColumn};
use crate::plan::conversion::Conversion;
use crate::plan::inspection::{Column, Index, IndexPart, Table};
use crate::plan::key::{KeyValue, encode};
use crate::plan::names::Names;
use crate::plan::{NullInKey, unique_key};

fn column(name: &str, ordinal: usize, column_type: &str, text: Option<(&str, &str)>) -> Column {
    let data_type = column_type
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    Column {
        name: name.into(),
        ordinal,
        column_type: column_type.into(),
        data_type,
        charset: text.map(|(charset, _)| charset.into()),
        collation: text.map(|(_, collation)| collation.into()),
        octet_length: text.map(|_| 20),
        ..Column::default()
    }
}

fn table(columns: Vec<Column>, key: &[&str]) -> Table {
    let part = |name: &&str| IndexPart {
        column: Some((*name).into()),
        prefix: false,
        expression: None,
    };
    let index = Index {
        name: "PRIMARY".into(),
        unique: true,
        parts: key.iter().map(part).collect(),
    };
    Table {
        columns,
        indexes: vec![index],
        ..Table::default()
    }
}

fn sql(original: Table, ghost: Table) -> Sql {
    let shared = original
        .columns
        .iter()
        .zip(&ghost.columns)
        .map(|(from, to)| SharedColumn {
            from: from.clone(),
            to: to.clone(),
        })
        .collect();
    let constant = vec![ConstantColumn {
        name: "at".into(),
        literal: "TIMESTAMP'2026-11-21 10:11:12'".into(),
    }];
    let columns = ColumnMap {
        backfilled: vec![],
        shared,
        constant,
        skipped: vec![],
        kept: vec![],
    };
    let key = unique_key::choose(&original, &ghost, &columns, NullInKey::Refused).expect("a key");
    let introduced_keys = unique_key::introduced(&original, &ghost, &columns);
    Sql::new(&Plan {
        pinned: String::new(),
        server_zone: String::new(),
        foreign_keys: Vec::new(),
        original_triggers: Vec::new(),
        triggers: Vec::new(),
        names: Names::new("s", "t`x", None, None),
        key,
        introduced_keys,
        zone: crate::plan::Zone::Server,
        checks: crate::plan::constraints::CheckNames::default(),
        renamed_checks: vec![],
        other_unique_keys: false,
        conversion: Conversion::default(),
        unverified: vec![],
        auto_increment_given: false,
        guards_snapshots: true,
        deferred: None,
        direct: crate::plan::shortcut::Direct::default(),
        reached_from_elsewhere: false,
        columns,
        original,
        ghost,
    })
}

fn numbers() -> Sql {
    let columns = vec![column("id", 0, "int", None), column("v", 1, "int", None)];
    sql(table(columns.clone(), &["id"]), table(columns, &["id"]))
}

fn chunk(after: &[i64], upto: &[i64], common_columns: usize) -> Chunk {
    let key = |numbers: &[i64]| {
        let values: Vec<KeyValue> = numbers.iter().map(|n| KeyValue::Int(*n)).collect();
        (!values.is_empty()).then(|| encode(&values))
    };
    Chunk {
        id: 0,
        after: key(after),
        upto: key(upto),
        common_columns,
    }
}

#[test]
fn a_chunk_is_copied_by_one_statement() {
    let statement = numbers()
        .copy_chunk(&chunk(&[5], &[9], 0), Locking::NoWait)
        .expect("a chunk");
    assert_eq!(
        statement.text,
        "INSERT /* tableshift */ INTO `s`.`_t``x_gho` (`id`, `v`, `at`) SELECT `s`.`t``x`.`id`, \
         `s`.`t``x`.`v`, TIMESTAMP'2026-11-21 10:11:12' FROM `s`.`t``x` FORCE INDEX (`PRIMARY`) WHERE \
         ((`s`.`t``x`.`id` > 5 AND `s`.`t``x`.`id` <= 9)) FOR SHARE NOWAIT ON DUPLICATE KEY UPDATE \
         `s`.`_t``x_gho`.`id` = `s`.`_t``x_gho`.`id`"
    );
}

#[test]
fn a_refresh_names_its_rows_by_ordinal_and_never_waits() {
    let keys = [encode(&[KeyValue::Int(7)]), encode(&[KeyValue::Int(-8)])];
    let statement = numbers()
        .lock_present(&keys, Locking::SkipLocked)
        .expect("keys");
    assert_eq!(
        statement.text,
        "SELECT /* tableshift */ w.o FROM (VALUES ROW(0, 7), ROW(1, -8)) AS w(o, k1) STRAIGHT_JOIN \
         `s`.`t``x` FORCE INDEX (`PRIMARY`) ON `s`.`t``x`.`id` = w.k1 FOR SHARE OF `t``x` SKIP LOCKED"
    );
    assert!(
        numbers().replace(&keys).expect("keys")[0]
            .text
            .ends_with("FOR SHARE OF `t``x` NOWAIT")
    );
    assert!(
        !numbers().replace_locked(&keys).expect("keys")[0]
            .text
            .contains("FOR SHARE")
    );
}

#[test]
fn composite_ranges_are_disjoint_pieces() {
    let columns: Vec<Column> = ["a", "b", "c"]
        .iter()
        .zip(0..)
        .map(|(name, n)| column(name, n, "int", None))
        .collect();
    let key = ["a", "b", "c"];
    let sql = sql(table(columns.clone(), &key), table(columns, &key));
    let text = |after: &[i64], upto: &[i64], common| {
        let text = range::condition(sql.original(), &chunk(after, upto, common)).expect("a chunk");
        text.replace("`s`.`t``x`.", "").replace('`', "")
    };
    assert_eq!(
        text(&[1, 2, 3], &[4, 5, 6], 0),
        "((a = 1 AND b = 2 AND c > 3) OR (a = 1 AND b > 2) OR (a > 1 AND a < 4) OR (a = 4 AND b < 5) \
         OR (a = 4 AND b = 5 AND c <= 6))"
    );
    assert_eq!(
        text(&[1, 2, 3], &[1, 5, 6], 1),
        "((a = 1 AND b = 2 AND c > 3) OR (a = 1 AND b > 2 AND b < 5) OR (a = 1 AND b = 5 AND c <= 6))"
    );
    assert_eq!(
        text(&[1, 2, 3], &[1, 2, 6], 2),
        "((a = 1 AND b = 2 AND c > 3 AND c <= 6))"
    );
    assert_eq!(
        text(&[], &[1, 2, 3], 0),
        "((a < 1) OR (a = 1 AND b < 2) OR (a = 1 AND b = 2 AND c <= 3))"
    );
    assert_eq!(text(&[], &[], 0), "TRUE");
}

#[test]
fn a_range_whose_ends_may_have_anything_in_common_is_two_conditions() {
    let columns: Vec<Column> = ["a", "b"]
        .iter()
        .zip(0..)
        .map(|(name, n)| column(name, n, "int", None))
        .collect();
    let sql = sql(
        table(columns.clone(), &["a", "b"]),
        table(columns, &["a", "b"]),
    );
    let unknown = crate::core::chunk::COMMON_UNKNOWN;
    let text = range::condition(sql.original(), &chunk(&[1, 2], &[1, 9], unknown));
    let text = text.expect("a chunk");
    let (lower, upper) = text.split_once(") AND (").expect("two conditions");
    assert!(
        lower.contains("`b` > 2") && lower.contains("`a` > 1"),
        "{text}"
    );
    assert!(
        upper.contains("`b` <= 9") && upper.contains("`a` < 1"),
        "{text}"
    );
    // One column has nothing to have in common.
    let one = numbers();
    assert_eq!(
        range::condition(one.original(), &chunk(&[1], &[9], unknown)),
        range::condition(one.original(), &chunk(&[1], &[9], 0))
    );
}

#[test]
fn the_end_of_a_chunk_is_looked_up_piece_by_piece() {
    let columns: Vec<Column> = ["a", "b"]
        .iter()
        .zip(0..)
        .map(|(name, n)| column(name, n, "int", None))
        .collect();
    let sql = sql(
        table(columns.clone(), &["a", "b"]),
        table(columns, &["a", "b"]),
    );
    let after = encode(&[KeyValue::Int(1), KeyValue::Int(2)]);
    let probes = Sql::boundary(sql.original(), Some(&after), 100).expect("a key");
    let common: Vec<usize> = probes.iter().map(|probe| probe.common_columns).collect();
    assert_eq!(common, [1, 0]);
    assert!(
        probes[0].statement.text.contains("`a` = 1 AND "),
        "{}",
        probes[0].statement.text
    );
    assert!(probes[1].statement.text.ends_with("LIMIT 1 OFFSET 99"));
}

#[test]
fn the_end_of_a_chunk_is_looked_up_by_number_where_there_is_one() {
    let of = |key: &str, after: KeyValue| {
        let columns = vec![column("a", 0, key, None)];
        let sql = sql(table(columns.clone(), &["a"]), table(columns, &["a"]));
        let after = encode(&[after]);
        let found = Sql::boundary_by_number(sql.original(), &after, 100).expect("a key");
        found.map(|statement| statement.text)
    };
    assert_eq!(
        of("int", KeyValue::Int(-3)).expect("a number"),
        "SELECT /* tableshift */ `s`.`t``x`.`a` FROM `s`.`t``x` FORCE INDEX (`PRIMARY`) WHERE \
         `s`.`t``x`.`a` >= 97 ORDER BY `s`.`t``x`.`a` LIMIT 1"
    );
    let largest = KeyValue::UInt(u64::MAX - 100);
    assert!(
        of("bigint unsigned", largest)
            .is_some_and(|text| text.contains(">= 18446744073709551615 "))
    );
    assert_eq!(of("bigint unsigned", KeyValue::UInt(u64::MAX - 99)), None);
    assert_eq!(of("bigint", KeyValue::Int(i64::MAX)), None);
}

#[test]
fn text_keys_are_equal_only_if_both_tables_say_so() {
    let before = Some(("latin1", "latin1_bin"));
    let after = Some(("utf8mb4", "utf8mb4_0900_ai_ci"));
    let sql = sql(
        table(vec![column("k", 0, "varchar(20)", before)], &["k"]),
        table(vec![column("k", 0, "varchar(20)", after)], &["k"]),
    );
    let key = [encode(&[KeyValue::Bytes(vec![0xe9])])];
    assert_eq!(
        sql.delete(&key).expect("a key").text,
        "DELETE /* tableshift */ `s`.`_t``x_gho` FROM (VALUES ROW(0, _latin1 x'E9')) AS w(o, k1) \
         STRAIGHT_JOIN `s`.`_t``x_gho` FORCE INDEX (`PRIMARY`) ON `s`.`_t``x_gho`.`k` = CONVERT(w.k1 \
         USING utf8mb4) COLLATE utf8mb4_0900_ai_ci AND CONVERT(`s`.`_t``x_gho`.`k` USING latin1) \
         COLLATE latin1_bin = w.k1"
    );
    // A unique key that compares otherwise may have no room for a row, so nothing is displaced.
    assert!(sql.introduces_keys());
    assert!(
        sql.replace(&key).expect("a key")[0]
            .text
            .starts_with("INSERT")
    );
}

#[test]
fn texts_in_several_character_sets_are_compared_as_bytes() {
    let columns = vec![
        column("id", 0, "int", None),
        column("a", 1, "varchar(20)", Some(("latin1", "latin1_bin"))),
        column("b", 2, "varchar(20)", Some(("sjis", "sjis_bin"))),
    ];
    let sql = sql(table(columns.clone(), &["id"]), table(columns, &["id"]));
    let text = sql
        .compare_chunk(&chunk(&[], &[], 0))
        .expect("a chunk")
        .text;
    for column in ["a", "b"] {
        let bytes = format!("CAST(`s`.`t``x`.`{column}` AS BINARY)");
        assert!(
            text.contains(&format!("LENGTH({bytes}), {bytes}")),
            "{text}"
        );
    }
}

#[test]
fn text_that_becomes_an_enum_is_compared_by_its_member() {
    let from = column("e", 1, "varchar(20)", Some(("latin1", "latin1_bin")));
    let to = column(
        "e",
        1,
        "enum('a'',''b','back\\slash','','it''s')",
        Some(("utf8mb4", "utf8mb4_0900_ai_ci")),
    );
    let id = || column("id", 0, "int", None);
    let sql = sql(
        table(vec![id(), from], &["id"]),
        table(vec![id(), to], &["id"]),
    );
    let text = sql
        .compare_chunk(&chunk(&[], &[], 0))
        .expect("a chunk")
        .text;
    let field = "IF(ISNULL(`s`.`t``x`.`e`), NULL, FIELD(TRIM(TRAILING ' ' FROM CONVERT(`s`.`t``x`.`e` USING utf8mb4)) COLLATE \
                 utf8mb4_0900_ai_ci, 'a'',''b', 'back\\\\slash', '', 'it''s'))";
    assert!(text.contains(field), "{text}");
    assert!(text.contains("`s`.`_t``x_gho`.`e`+0"), "{text}");
}

#[test]
fn columns_left_out_of_the_verification_are_in_no_hash() {
    let columns = vec![column("id", 0, "int", None), column("v", 1, "int", None)];
    let mut sql = sql(table(columns.clone(), &["id"]), table(columns, &["id"]));
    sql.unverified = vec!["v".into()];
    let text = sql
        .compare_chunk(&chunk(&[], &[], 0))
        .expect("a chunk")
        .text;
    assert!(!text.contains("`v`"), "{text}");
    assert!(text.contains("`id`"), "{text}");
}

#[test]
fn null_in_the_key_is_looked_for_in_the_columns_that_accept_it() {
    assert_eq!(numbers().null_in_key(&[]), None);
    let statement = numbers().null_in_key(&["v".into()]).expect("a statement");
    assert_eq!(
        statement.text,
        "SELECT /* tableshift */ 1 FROM `s`.`t``x` WHERE `s`.`t``x`.`v` IS NULL LIMIT 1"
    );
}

#[test]
fn a_row_s_hash_can_t_be_imitated_by_other_values() {
    let columns = vec![
        column("id", 0, "int", None),
        column("a", 1, "varchar(20)", Some(("latin1", "latin1_bin"))),
    ];
    let sql = sql(table(columns.clone(), &["id"]), table(columns, &["id"]));
    let text = sql
        .compare_chunk(&chunk(&[], &[], 0))
        .expect("a chunk")
        .text;
    assert!(
        text.contains(
            "SHA2(CONCAT_WS(_binary',', `s`.`t``x`.`id`, LENGTH(`s`.`t``x`.`a`), `s`.`t``x`.`a`), 256)"
        ),
        "{text}"
    );
}

#[test]
fn a_zero_date_in_the_key_is_no_missing_row() {
    let columns = vec![column("d", 0, "date", None), column("v", 1, "int", None)];
    let sql = sql(table(columns.clone(), &["d"]), table(columns, &["d"]));
    let key = encode(&[KeyValue::Bytes(b"0000-00-00".into())]);
    let chunk = chunk(&[], &[], 0);
    for statement in [
        sql.missing_in_chunk(&chunk),
        sql.differing_in_chunk(&chunk, 9),
        sql.extra_in_chunk(sql.ghost(), &chunk, 9),
        sql.differing_keys(std::slice::from_ref(&key)),
        sql.extra_keys(&[key]),
    ] {
        let text = statement.expect("a statement").text;
        assert!(text.contains("`d` <=> NULL"), "{text}");
        assert!(!text.contains("`d` IS NULL"), "{text}");
    }
}
