//! Which part of the source may know which: the compiler doesn't hold these lines, so this does.

use std::fs;
use std::path::{Path, PathBuf};

/// A module, and the words that none of its files may contain.
const FORBIDDEN: [(&str, &[&str]); 10] = [
    (
        "plan",
        &[
            "tokio",
            "mysql_async",
            "anyhow",
            "std::fs",
            "std::net",
            "Instant",
            "SystemTime",
            "crate::mysql",
            "crate::engine",
            "crate::core",
        ],
    ),
    (
        "sql",
        &[
            "tokio",
            "mysql_async",
            "anyhow",
            "std::fs",
            "std::net",
            "Instant",
            "SystemTime",
            "crate::mysql",
            "crate::engine",
        ],
    ),
    (
        "core",
        &[
            "tokio",
            "mysql_async",
            "anyhow",
            "std::fs",
            "std::net",
            "Instant",
            "SystemTime",
            "crate::mysql",
            "crate::engine",
            "crate::report",
            "crate::sql",
            "async fn",
        ],
    ),
    (
        "report",
        &["mysql_async", "crate::engine", "crate::mysql", "tokio"],
    ),
    ("metrics", &["mysql_async", "crate::engine", "crate::mysql"]),
    ("metrics/families.rs", &["tokio", "std::net", "std::time"]),
    ("metrics/exposition.rs", &["tokio", "std::net", "std::time"]),
    ("metrics/statsd.rs", &["tokio", "std::net", "std::time"]),
    ("control", &["mysql_async", "crate::engine", "crate::mysql"]),
    ("engine", &["mysql_async", "mysql_common"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    if folder.is_file() {
        return vec![folder.to_owned()];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file: without comments, and without its tests at the end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn pure_parts_do_no_io_and_nobody_looks_upward() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for (module, words) in FORBIDDEN {
        for path in sources(&root.join(module)) {
            let code = code(&path);
            broken.extend(
                words
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{} names {word}", path.display())),
            );
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_stay_small_enough_to_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let long: Vec<String> = sources(&root)
        .iter()
        .map(|path| (path, code(path).lines().count()))
        .filter(|(_, lines)| *lines > 800)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}
