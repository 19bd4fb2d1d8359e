use super::*;

fn table(name: &str, access: &str, index: &str, rows: u32, joined: u32) -> String {
    let index = match index {
        "" => String::new(),
        index => format!(r#""key": "{index}", "#),
    };
    format!(
        r#""table": {{"table_name": "{name}", "access_type": "{access}", {index}"rows_examined_per_scan": {rows},
        "rows_produced_per_join": {joined}, "used_columns": ["id", "a"]}}"#
    )
}

fn plan(cost: &str, inside: &str) -> Figures {
    let text = format!(
        r#"{{"query_block": {{"select_id": 1, "cost_info": {{"query_cost": "{cost}"}}, {inside}}}}}"#
    );
    figures(&text).expect("a plan")
}

fn alone(access: &str, index: &str, rows: u32) -> Figures {
    plan("1", &table("orders", access, index, rows, rows))
}

#[test]
fn a_full_scan_in_the_place_of_a_lookup_is_worse_beyond_the_floor() {
    let before = alone("ref", "customer", 4);
    let why = alone("ALL", "", 20_384).worse_than(&before, 1.0);
    assert_eq!(
        why.as_deref(),
        Some(
            "it would read 20384 rows instead of 4 (`orders`: a full table scan instead of a lookup in index \
             `customer`)"
        )
    );
    assert_eq!(alone("ALL", "", 999).worse_than(&before, 1.0), None);
    assert!(alone("ALL", "", 1_000).worse_than(&before, 1.0).is_some());
}

#[test]
fn rows_have_to_be_three_times_as_many() {
    let before = alone("range", "day", 10_000);
    assert_eq!(alone("ALL", "", 30_000).worse_than(&before, 1.0), None);
    assert!(alone("ALL", "", 30_001).worse_than(&before, 1.0).is_some());
}

#[test]
fn statistics_of_the_original_that_count_too_few_rows_raise_no_alarm() {
    let before = alone("ALL", "", 1_000);
    assert!(alone("ALL", "", 20_000).worse_than(&before, 1.0).is_some());
    assert_eq!(alone("ALL", "", 20_000).worse_than(&before, 20.0), None);
    assert!(alone("ALL", "", 20_000).worse_than(&before, 0.05).is_some());
}

#[test]
fn cost_and_sorts_count_as_well() {
    let inside = table("orders", "ref", "a", 2_000, 2_000);
    let covered = plan("210.00", &inside);
    let why = plan("700.00", &inside).worse_than(&covered, 1.0);
    assert!(why.is_some_and(|why| why.starts_with("it would cost 700 instead of 210")));
    assert_eq!(plan("600.00", &inside).worse_than(&covered, 1.0), None);
    assert_eq!(
        plan("340.00", &inside).worse_than(&plan("1", &inside), 1.0),
        None
    );
    let sorted = |yes: bool, rows: u32| {
        let table = table("orders", "ref", "a", rows, rows);
        plan(
            "1",
            &format!(r#""ordering_operation": {{"using_filesort": {yes}, {table}}}"#),
        )
    };
    let why = sorted(true, 2_000).worse_than(&sorted(false, 2_000), 1.0);
    assert!(why.is_some_and(|why| why.starts_with("it would sort")));
    assert_eq!(sorted(true, 900).worse_than(&sorted(false, 900), 1.0), None);
    assert_eq!(
        sorted(true, 2_000).worse_than(&sorted(true, 2_000), 1.0),
        None
    );
}

#[test]
fn a_table_is_read_once_for_each_row_before_it() {
    let loops = |inner: &str| {
        let steps = format!(
            r#""nested_loop": [{{{}}}, {{{inner}}}]"#,
            table("c", "ALL", "", 500, 400)
        );
        plan("1", &steps)
    };
    let looked_up = loops(&table("orders", "ref", "customer", 3, 1_200));
    assert_eq!(looked_up.examined, 500.0 + 400.0 * 3.0);
    let scanned = loops(&table("orders", "ALL", "", 20_000, 1_200));
    assert_eq!(scanned.examined, 500.0 + 400.0 * 20_000.0);
    let buffered = table("orders", "ALL", "", 20_000, 1_200).replace(
        r#""used_columns""#,
        r#""using_join_buffer": "hash join", "used_columns""#,
    );
    assert_eq!(loops(&buffered).examined, 500.0 + 20_000.0);
}

#[test]
fn subqueries_that_depend_on_a_row_are_done_for_each() {
    let block = |dependent: bool, rows: u32| {
        let inner = table("orders", "ALL", "", rows, rows);
        let outer = table("c", "index", "PRIMARY", 6_000, 6_000);
        plan(
            "1",
            &format!(
                r#"{outer}, "select_list_subqueries": [{{"dependent": {dependent}, "query_block": {{{inner}}}}}]"#
            ),
        )
    };
    assert_eq!(block(true, 3).examined, 6_000.0 + 18_000.0);
    assert_eq!(block(false, 3).examined, 6_003.0);
}

#[test]
fn unions_derived_tables_and_what_is_written_to_are_read() {
    let first = table("orders", "index", "day", 20, 20);
    let second = table("orders", "ref", "customer", 4, 4);
    let union = plan(
        "1",
        &format!(
            r#""union_result": {{"using_temporary_table": true, "query_specifications": [
            {{"dependent": false, "query_block": {{{first}}}}}, {{"dependent": false, "query_block": {{{second}}}}}]}}"#
        ),
    );
    assert_eq!((union.examined, union.sorts), (24.0, 1));
    let derived = plan(
        "1",
        &format!(
            r#""table": {{"table_name": "d", "access_type": "ALL", "rows_examined_per_scan": 7,
            "materialized_from_subquery": {{"using_temporary_table": true, "dependent": false, "query_block": {{{second}}}}}}}"#
        ),
    );
    assert_eq!((derived.examined, derived.sorts), (11.0, 1));
    let insert = plan(
        "1",
        &format!(
            r#""table": {{"insert": true, "table_name": "orders", "access_type": "ALL"}}, "insert_from": {{{second}}}"#
        ),
    );
    assert_eq!((insert.examined, insert.accesses.len()), (4.0, 1));
    let away =
        figures(r#"{"query_block": {"select_id": 1, "message": "Select tables optimized away"}}"#);
    assert_eq!(away, Some(Figures::default()));
    assert_eq!(figures("-> Table scan on orders"), None);
    assert_eq!(figures(r#"{"query": "x", "query_plan": {}}"#), None);
}

#[test]
fn a_plan_without_a_row_is_none() {
    let block = |message: &str| {
        let block = format!(r#"{{"select_id": 1, "message": "{message}"}}"#);
        let alone = format!(r#"{{"query_block": {block}}}"#);
        let part = table("orders", "ref", "customer", 4, 4);
        let union = format!(
            r#"{{"query_block": {{"union_result": {{"query_specifications": [{{"query_block": {block}}},
            {{"query_block": {{{part}}}}}]}}}}}}"#
        );
        let inside = format!(
            r#"{{"query_block": {{"table": {{"update": true, "message": "{message}"}}}}}}"#
        );
        [alone, union, inside].map(|text| figures(&text).expect("a plan").no_row)
    };
    for message in [
        "no matching row in const table",
        "Impossible WHERE",
        "Impossible WHERE noticed after reading const tables",
        "No matching min/max row",
    ] {
        assert_eq!(block(message), [true; 3], "{message}");
    }
    for message in ["Select tables optimized away", "No tables used"] {
        assert_eq!(block(message), [false; 3], "{message}");
    }
}
