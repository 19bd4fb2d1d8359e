use super::prediction::Spread;
use super::surroundings::{Kind, Mention, names};
use super::*;
use crate::plan::findings::tests::{column, plan};
use crate::plan::shortcut::Direct;

fn names_of() -> Names {
    Names::new("s", "t", None, None)
}

fn version(major: u16, minor: u16) -> Version {
    Version {
        major,
        minor,
        patch: 0,
    }
}

fn subject(names: &Names) -> Subject<'_> {
    Subject {
        names,
        alter: "ADD w INT",
        server: "9.7.4",
        version: version(9, 7),
    }
}

fn told(plan: &Plan, around: Surroundings, sampled: Sampled) -> Prospect {
    let names = names_of();
    Prospect::of_plan(subject(&names), plan, around, sampled)
}

fn unsampled() -> Sampled {
    Sampled::Not("no sample".into())
}

fn codes(told: &Prospect) -> Vec<&'static str> {
    told.findings.iter().map(|finding| finding.code).collect()
}

fn prediction(seconds: f64, high: f64) -> Prediction {
    Prediction {
        seconds,
        interval: Some((0.0, high)),
        rows: 1,
        chunks: 9,
        took: 1.0,
        spread: Spread::OverTheKey,
    }
}

#[test]
fn the_verdict_is_that_of_the_gravest_finding() {
    let plain = told(&plan(&[], &[]), Surroundings::default(), unsampled());
    assert_eq!((plain.verdict(), plain.way), (Verdict::Go, Way::Ghost));
    let lossy = plan(&[column("v", "int")], &[column("v", "tinyint")]);
    let warned = told(&lossy, Surroundings::default(), unsampled());
    assert_eq!(warned.verdict(), Verdict::Warnings);
    let sampled = Sampled::Refused("out of range".into());
    let refused = told(&lossy, Surroundings::default(), sampled);
    assert_eq!(refused.verdict(), Verdict::Refuse);
    assert_eq!(codes(&refused), ["sample-refused", "lossy-conversion"]);
    let names = names_of();
    assert_eq!(
        Prospect::nothing(subject(&names)).verdict(),
        Verdict::NothingToDo
    );
    let both = [Refusal::new("a", "b"), Refusal::new("c", "d")];
    let early = Prospect::refused(subject(&names), &both, None, Surroundings::default());
    assert_eq!(early.verdict(), Verdict::Refuse);
    assert_eq!(codes(&early), ["refused", "refused", "not-looked-at"]);
}

#[test]
fn passwords_are_shown_nowhere() {
    let names = names_of();
    let secret = "CONNECTION='mysql://u:pw@h/d'";
    let mut plan = plan(&[], &[]);
    plan.ghost.definition = format!("CREATE TABLE `_t_gho` (\n) ENGINE=InnoDB {secret}");
    let subject = Subject {
        alter: secret,
        ..subject(&names)
    };
    let around = Surroundings::default;
    let refused = Refusal::new(format!("the server refuses '{secret}'"), "");
    for told in [
        Prospect::of_plan(subject, &plan, around(), unsampled()),
        Prospect::refused(subject, &[refused], None, around()),
        Prospect::nothing(subject),
    ] {
        assert_eq!(told.alter, "CONNECTION='***'");
        let shown = format!("{told:?}");
        assert!(!shown.contains("pw"), "{shown}");
    }
}

#[test]
fn what_only_a_plan_ends_with_is_no_refusal_of_the_run() {
    let names = names_of();
    let refused = |refusals: &[Refusal]| {
        Prospect::refused(subject(&names), refusals, None, Surroundings::default())
    };
    let leftover = Refusal::of_trial("table `_t_gho` already exists", "add --execute");
    let alone = refused(std::slice::from_ref(&leftover));
    assert_eq!(alone.verdict(), Verdict::Warnings);
    assert_eq!(alone.way, Way::Unknown);
    assert_eq!(codes(&alone), ["leftover-dropped", "not-looked-at"]);
    assert!(
        alone
            .findings
            .iter()
            .all(|one| !one.next.contains("--execute"))
    );
    let both = refused(&[leftover, Refusal::new("a", "b")]);
    assert_eq!((both.verdict(), both.way), (Verdict::Refuse, Way::Refused));
    assert_eq!(
        codes(&both),
        ["refused", "leftover-dropped", "not-looked-at"]
    );
}

#[test]
fn the_way_has_its_reason() {
    let mut plan = plan(&[], &[]);
    plan.direct.why_not = "rebuild".into();
    let why = |plan: &Plan| told(plan, Surroundings::default(), unsampled()).why;
    assert_eq!(why(&plan), "not possible instantly: rebuild");
    plan.direct.unasked = "--no-shortcuts".into();
    assert_eq!(
        why(&plan),
        "the table isn't altered directly: --no-shortcuts"
    );
    plan.direct.native = Some(Native::InPlace);
    assert!(why(&plan).contains("LOCK=NONE"));
    plan.direct = Direct::default();
    assert!(why(&plan).contains("is continued"));
    plan.names.reverts = true;
    let back = told(&plan, Surroundings::default(), unsampled());
    assert_eq!(back.way, Way::Back);
}

#[test]
fn words_are_names_and_parts_of_words_are_not() {
    for text in [
        "SELECT * FROM orders",
        "update `Orders` set",
        "shop.orders;",
        "orders",
    ] {
        assert!(names(text, "orders"), "{text}");
    }
    for text in [
        "SELECT * FROM orders_2",
        "preorders",
        "$orders",
        "order s",
        "",
    ] {
        assert!(!names(text, "orders"), "{text}");
    }
    assert!(!names("anything", ""));
    // In quotes the same quotes are doubled.
    assert!(names("SELECT * FROM `or``d`", "or`d"));
    assert!(names("SELECT * FROM \"or`d\"", "Or`d"));
    assert!(names("SELECT * FROM \"or\"\"d\"", "or\"d"));
    assert!(names("SELECT * FROM `oor`dd`", "or`d"));
    assert!(!names("SELECT `or` FROM `d`", "or`d"));
}

fn mention(kind: Kind, name: &str, text: Option<&str>) -> Mention {
    Mention {
        kind,
        name: name.into(),
        text: text.map(str::to_owned),
    }
}

#[test]
fn programs_elsewhere_have_to_name_the_schema() {
    let concerned = |name: &str, text| mention(Kind::Routine, name, Some(text)).concerns("s", "t");
    assert!(concerned("s.p", "SELECT 1 FROM t"));
    assert!(concerned("x.p", "SELECT 1 FROM s.t"));
    assert!(!concerned("x.p", "SELECT 1 FROM t"));
    assert!(!concerned("s.p", "SELECT 1 FROM tt"));
    assert!(mention(Kind::View, "x.v", None).concerns("s", "t"));
}

#[test]
fn who_uses_a_column_that_goes_is_a_warning() {
    let around = Surroundings {
        mentions: vec![
            mention(Kind::View, "s.v", Some("select `gone` from t")),
            mention(Kind::View, "s.w", Some("select `other` from t")),
            mention(Kind::View, "s.x", None),
        ],
        unseen: vec!["something".into()],
        ..Surroundings::default()
    };
    let severities = |gone: &[String]| {
        let found = around.mentioned(gone);
        found.iter().map(|one| one.severity).collect::<Vec<_>>()
    };
    let (info, warning) = (Severity::Info, Severity::Warning);
    assert_eq!(severities(&[]), [info; 4]);
    assert_eq!(severities(&["gone".into()]), [warning, info, warning, info]);
}

#[test]
fn a_table_without_room_for_versions_is_copied_after_all() {
    let severity = |count, way, (major, minor)| {
        let around = Surroundings {
            row_versions: Some(count),
            ..Surroundings::default()
        };
        let found = around.versions(way, version(major, minor));
        found.map(|finding| finding.severity)
    };
    let (info, warning) = (Some(Severity::Info), Some(Severity::Warning));
    assert_eq!(severity(0, Way::AtOnce, (8, 0)), None);
    assert_eq!(severity(63, Way::AtOnce, (8, 4)), info);
    assert_eq!(severity(64, Way::AtOnce, (9, 0)), warning);
    assert_eq!(severity(64, Way::AtOnce, (9, 1)), info);
    assert_eq!(severity(255, Way::AtOnce, (9, 7)), warning);
    assert_eq!(severity(255, Way::Ghost, (9, 7)), info);
}

#[test]
fn a_copy_needs_room_for_itself_and_its_log() {
    let around = |free| Surroundings {
        data_bytes: Some(100),
        index_bytes: Some(50),
        free_bytes: free,
        ..Surroundings::default()
    };
    assert_eq!(around(None).needed_bytes(), Some(250));
    assert_eq!(around(None).room(), None);
    assert_eq!(around(Some(250)).room(), None);
    let short = told(&plan(&[], &[]), around(Some(249)), unsampled());
    assert_eq!(codes(&short), ["disk-short"]);
    let mut direct = plan(&[], &[]);
    direct.direct.native = Some(Native::AtOnce);
    let none = told(&direct, around(Some(249)), unsampled());
    assert_eq!(codes(&none), Vec::<&str>::new());
}

#[test]
fn logs_must_outlast_the_copy_at_its_longest() {
    let found = |kept, seconds, high| {
        let around = Surroundings {
            retention_seconds: kept,
            ..Surroundings::default()
        };
        let sampled = Sampled::Predicted(prediction(seconds, high));
        codes(&told(&plan(&[], &[]), around, sampled))
    };
    assert_eq!(found(Some(100), 50.0, 99.0), Vec::<&str>::new());
    assert_eq!(found(Some(100), 50.0, 100.5), ["binlog-retention"]);
    assert_eq!(found(Some(0), 1e6, 1e7), Vec::<&str>::new());
    assert_eq!(found(None, 1e6, 1e7), Vec::<&str>::new());
}
