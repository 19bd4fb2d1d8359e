use super::*;
use crate::plan::columns::ColumnMap;
use crate::plan::constraints::CheckNames;
use crate::plan::conversion::Conversion;
use crate::plan::inspection::{ForeignKey, Index, IndexPart, Table};
use crate::plan::names::Names;
use crate::plan::shortcut::{Direct, Native};
use crate::plan::{NullInKey, Zone, unique_key};

pub(in crate::plan) fn column(name: &str, column_type: &str) -> Column {
    Column {
        name: name.into(),
        column_type: column_type.into(),
        data_type: column_type
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect(),
        ..Column::default()
    }
}

fn table(columns: &[Column]) -> Table {
    let id = Column {
        default: Some("0".into()),
        ..column("id", "int")
    };
    let index = Index {
        name: "PRIMARY".into(),
        unique: true,
        parts: vec![IndexPart {
            column: Some("id".into()),
            prefix: false,
            expression: None,
        }],
    };
    Table {
        columns: [&[id], columns].concat(),
        indexes: vec![index],
        ..Table::default()
    }
}

/// A plan that pairs columns of the same name.
pub(in crate::plan) fn plan(before: &[Column], after: &[Column]) -> Plan {
    let (original, ghost) = (table(before), table(after));
    let shared = ghost.columns.iter().filter_map(|to| {
        let from = original.column(&to.name)?.clone();
        Some(SharedColumn {
            from,
            to: to.clone(),
        })
    });
    let columns = ColumnMap {
        shared: shared.collect(),
        ..ColumnMap::default()
    };
    let key = unique_key::choose(&original, &ghost, &columns, NullInKey::Refused).expect("a key");
    Plan {
        pinned: String::new(),
        server_zone: String::new(),
        foreign_keys: Vec::new(),
        original_triggers: Vec::new(),
        triggers: Vec::new(),
        names: Names::new("s", "t", None, None),
        introduced_keys: Vec::new(),
        zone: Zone::Server,
        checks: CheckNames::default(),
        renamed_checks: Vec::new(),
        other_unique_keys: false,
        conversion: Conversion::default(),
        unverified: Vec::new(),
        auto_increment_given: false,
        guards_snapshots: true,
        deferred: None,
        direct: Direct::default(),
        reached_from_elsewhere: false,
        key,
        columns,
        original,
        ghost,
    }
}

fn told(plan: &Plan) -> Vec<(Severity, &'static str, String)> {
    let findings = of_plan(plan).into_iter();
    findings
        .map(|one| (one.severity, one.code, one.what))
        .collect()
}

fn codes(plan: &Plan) -> Vec<&'static str> {
    told(plan).into_iter().map(|(_, code, _)| code).collect()
}

fn nullable(column: Column) -> Column {
    Column {
        nullable: true,
        ..column
    }
}

fn text(name: &str, column_type: &str, collation: &str) -> Column {
    Column {
        charset: collation.split('_').next().map(str::to_owned),
        collation: Some(collation.into()),
        default: Some(String::new()),
        ..column(name, column_type)
    }
}

#[test]
fn a_change_that_keeps_everything_is_not_worth_a_word() {
    let same = [column("v", "int"), nullable(column("w", "int"))];
    let wider = [column("v", "bigint"), nullable(column("w", "int"))];
    assert_eq!(told(&plan(&same, &wider)), []);
}

#[test]
fn conversions_that_can_lose_something_are_warnings() {
    for (before, after) in [
        ("int", "smallint"),
        ("int", "int unsigned"),
        ("enum('a','b')", "enum('a','c')"),
        ("float", "int"),
    ] {
        let found = told(&plan(&[column("v", before)], &[column("v", after)]));
        let what =
            format!("column `v` changes from {before} to {after}, which may not hold every value");
        assert_eq!(found, [(Severity::Warning, "lossy-conversion", what)]);
    }
    let appended = plan(
        &[column("v", "enum('a','b')")],
        &[column("v", "enum('a','b','c')")],
    );
    assert_eq!(told(&appended), []);
}

#[test]
fn what_the_server_does_by_itself_converts_nothing() {
    let mut plan = plan(&[column("v", "int")], &[column("v", "smallint")]);
    plan.direct.native = Some(Native::AtOnce);
    assert_eq!(told(&plan), []);
}

#[test]
fn what_the_server_does_by_itself_renames_no_checks() {
    let mut plan = plan(&[], &[]);
    plan.renamed_checks.push(("c".into(), "_c".into()));
    assert_eq!(codes(&plan), ["checks-renamed"]);
    for native in [Native::AtOnce, Native::InPlace] {
        plan.direct.native = Some(native);
        assert_eq!(told(&plan), []);
    }
}

#[test]
fn null_that_isn_t_allowed_any_more_is_a_warning() {
    let found = codes(&plan(
        &[nullable(column("v", "int"))],
        &[column("v", "int")],
    ));
    assert_eq!(found, ["null-to-not-null"]);
    let both = codes(&plan(
        &[nullable(column("v", "int"))],
        &[column("v", "tinyint")],
    ));
    assert_eq!(both, ["null-to-not-null", "lossy-conversion"]);
}

#[test]
fn columns_that_every_insert_must_name_are_warnings() {
    let with_default = Column {
        default: Some("7".into()),
        ..column("v", "int")
    };
    let added = |column: Column| codes(&plan(&[], &[column]));
    assert_eq!(added(column("v", "int")), ["not-null-without-default"]);
    assert!(added(with_default.clone()).is_empty());
    assert!(added(nullable(column("v", "int"))).is_empty());
    let counting = Column {
        extra: "auto_increment".into(),
        ..column("v", "int")
    };
    assert!(added(counting).is_empty());
    let lost = codes(&plan(&[with_default], &[column("v", "int")]));
    assert_eq!(lost, ["default-lost"]);
}

#[test]
fn columns_that_go_are_told_by_what_becomes_of_their_values() {
    let mut plan = plan(&[column("v", "int")], &[]);
    let means = |plan: &Plan| of_plan(plan).pop().expect("a finding").means;
    assert_eq!(codes(&plan), ["columns-dropped"]);
    assert!(means(&plan).contains("stay in the old table"));
    plan.direct.native = Some(Native::AtOnce);
    assert!(means(&plan).contains("go at once"));
}

#[test]
fn new_unique_keys_and_given_up_companions_are_warnings() {
    let mut plan = plan(&[], &[]);
    plan.introduced_keys.push(unique_key::IntroducedKey {
        name: "u".into(),
        columns: vec!["v".into()],
    });
    plan.foreign_keys.push(ForeignKey {
        name: "fk".into(),
        child: "s.t".into(),
        parent: "s.p".into(),
        cascades: false,
    });
    plan.columns.skipped.push(("a".into(), "b".into()));
    plan.unverified.push("v".into());
    plan.renamed_checks.push(("c".into(), "c2".into()));
    let found = told(&plan);
    let expected = [
        "renamed-columns-skipped",
        "unverified-columns",
        "foreign-keys-discarded",
        "checks-renamed",
        "unique-key-added",
    ];
    let codes: Vec<&str> = found.iter().map(|(_, code, _)| *code).collect();
    assert_eq!(codes, expected);
    assert!(
        found
            .iter()
            .all(|(severity, ..)| *severity == Severity::Warning)
    );
}

#[test]
fn collations_that_change_or_stay_behind_are_told() {
    let before = text("v", "varchar(9)", "utf8mb4_bin");
    let changed = plan(
        std::slice::from_ref(&before),
        &[text("v", "varchar(9)", "utf8mb4_0900_ai_ci")],
    );
    assert_eq!(codes(&changed), ["collation-changed"]);
    let mut lagging = plan(std::slice::from_ref(&before), std::slice::from_ref(&before));
    let definition = |collation: &str| format!("CREATE TABLE\n) ENGINE=InnoDB COLLATE={collation}");
    lagging.original.definition = definition("utf8mb4_bin");
    assert_eq!(codes(&lagging), Vec::<&str>::new());
    lagging.ghost.definition = definition("utf8mb4_0900_ai_ci");
    assert_eq!(codes(&lagging), ["default-collation-only"]);
    let mut mixed = plan(&[], &[before]);
    mixed.ghost.definition = definition("latin1_bin");
    mixed.original.definition = definition("latin1_bin");
    let expected = "added with another collation than the table's latin1_bin: `v` (utf8mb4_bin)";
    assert_eq!(
        told(&mixed),
        [(Severity::Info, "mixed-collations", expected.to_owned())]
    );
}
