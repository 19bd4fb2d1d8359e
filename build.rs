//! Tells the program which commit it is built from, for `--version`: from `TABLESHIFT_COMMIT` where a
//! package is built, else from the checkout's own files, else from what `git archive` has written into
//! `.commit`, else it is unknown. Runs no git, which a build machine may not have.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=TABLESHIFT_COMMIT");
    println!("cargo:rerun-if-changed=build.rs");
    let given = std::env::var("TABLESHIFT_COMMIT").ok();
    let commit = given
        .filter(|commit| !commit.is_empty())
        .or_else(|| checked_out(Path::new(".git")))
        .or_else(archived)
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=TABLESHIFT_COMMIT={commit}");
}

/// The commit that `git archive` has put in the place of its own placeholder.
fn archived() -> Option<String> {
    let text = read_watched(Path::new(".commit"))?;
    let commit = text.split_whitespace().next()?;
    let whole = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| commit.to_owned())
}

/// The commit that HEAD names, directly or through a branch.
fn checked_out(git: &Path) -> Option<String> {
    let git = match read(git) {
        // A worktree has a file there that names its folder.
        Some(text) => PathBuf::from(text.strip_prefix("gitdir:")?.trim()),
        None => git.to_owned(),
    };
    let head = read_watched(&git.join("HEAD"))?;
    let Some(branch) = head.strip_prefix("ref: ") else {
        return Some(head);
    };
    let common = match read(&git.join("commondir")) {
        Some(folder) => git.join(folder),
        None => git,
    };
    read_watched(&common.join(branch)).or_else(|| packed(&common, branch))
}

/// Branches that nobody has committed to lately stand in one file together.
fn packed(common: &Path, branch: &str) -> Option<String> {
    let text = read_watched(&common.join("packed-refs"))?;
    let commit = |line: &str| {
        let (commit, name) = line.split_once(' ')?;
        (name == branch).then(|| commit.to_owned())
    };
    text.lines().find_map(commit)
}

fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

fn read_watched(path: &Path) -> Option<String> {
    let text = read(path)?;
    println!("cargo:rerun-if-changed={}", path.display());
    Some(text)
}
