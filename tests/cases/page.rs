//! docs/cases.md: every case with its verdict, made from the folders. The test holds the page against
//! them; `TABLESHIFT_WRITE_DOCS=1 cargo test --test cases the_page` writes it anew.

use std::path::Path;

use crate::folder::{self, Case};

/// Groups by the beginning of the folder's name; the last one takes the rest.
const GROUPS: [(&str, &str); 8] = [
    ("during_", "Changes while the migration runs"),
    ("key_", "Keys"),
    ("primary_key_", "Primary keys"),
    ("check_", "CHECK constraints"),
    ("refused_", "Refused before the first write"),
    ("partition", "Partitions"),
    ("convert_", "Character sets and other conversions"),
    ("", "Columns, values, indexes and options"),
];

#[test]
fn the_page_of_cases_is_the_folders() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = page(&project.join("testdata/cases"));
    let file = project.join("docs/cases.md");
    if std::env::var_os("TABLESHIFT_WRITE_DOCS").is_some() {
        std::fs::write(&file, &page).expect("docs/cases.md");
    }
    let there = std::fs::read_to_string(&file).expect("docs/cases.md");
    assert!(
        there == page,
        "docs/cases.md is out of date: TABLESHIFT_WRITE_DOCS=1 cargo test --test cases the_page"
    );
}

fn page(root: &Path) -> String {
    let cases: Vec<Case> = folder::folders(root, None)
        .expect("the case folders")
        .iter()
        .map(|folder| Case::read(folder).expect("a case"))
        .collect();
    let refused = cases.iter().filter(|case| case.refusal.is_some()).count();
    let mut text = format!(
        "# Cases\n\nMade from the folders of `testdata/cases` by their test; don't edit. {} cases: {} \
         give what a plain ALTER TABLE gives, row for row and bit for bit, {refused} end with the \
         original untouched and say why.\n",
        cases.len(),
        cases.len() - refused,
    );
    let mut rest: Vec<&Case> = cases.iter().collect();
    for (beginning, title) in GROUPS {
        let (here, others) = rest
            .into_iter()
            .partition::<Vec<&Case>, _>(|case| case.name.starts_with(beginning));
        rest = others;
        text.push_str(&format!(
            "\n## {title}\n\n| case | ALTER | changed meanwhile | verdict |\n|---|---|---|---|\n"
        ));
        here.iter().for_each(|case| text.push_str(&line(case)));
    }
    text
}

fn line(case: &Case) -> String {
    let meanwhile = match case.during.len() {
        0 => "–".to_owned(),
        1 => "1 statement".to_owned(),
        count => format!("{count} statements"),
    };
    let verdict = match &case.refusal {
        None => "works".to_owned(),
        Some(refusal) => {
            let codes: Vec<String> = refusal.exit_codes.iter().map(i32::to_string).collect();
            let what = if refusal.exit_codes.contains(&3) {
                "refused"
            } else {
                "stopped, original untouched"
            };
            format!(
                "{what} (exit {}): {}",
                codes.join(" or "),
                cell(&refusal.fragments.join(", "), 100)
            )
        }
    };
    let alter = cell(&case.alter, 90);
    format!(
        "| {} | `` {alter} `` | {meanwhile} | {verdict} |\n",
        case.name
    )
}

/// One line that fits into a table's cell.
fn cell(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").replace('|', "\\|");
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
