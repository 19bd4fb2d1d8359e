//! The cookbook: its commands still end as it says, its tables are as promised, and the page is made of the recipes.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// In the order of the page.
fn recipes() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("testdata/cookbook")).expect("the recipes");
    let mut recipes: Vec<PathBuf> = folder.map(|entry| entry.expect("one").path()).collect();
    recipes.sort();
    recipes
}

/// What of a recipe stands in the page as it is: text, files and commands.
fn shown(recipe: &str) -> Vec<&str> {
    let mut hidden = false;
    let mut lines = Vec::new();
    for line in recipe.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            hidden = kind == "hidden";
        } else if !(hidden || line.is_empty() || line.starts_with("% ") || line.starts_with("# ")) {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn every_command_of_the_cookbook_ends_as_it_says() {
    let output = Command::new(root().join("scripts/cookbook"))
        .arg("--check")
        .env("BINARY", env!("CARGO_BIN_EXE_tableshift"))
        .output()
        .expect("scripts/cookbook can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_page_is_made_of_the_recipes() {
    let page = file(&root().join("docs/cookbook.md"));
    let recipes = recipes();
    assert!(recipes.len() > 10, "{recipes:?}");
    for recipe in recipes {
        // Each line behind the one before it, so that order counts as well.
        let text = file(&recipe);
        let mut rest = page.lines();
        for line in shown(&text) {
            assert!(
                rest.any(|of_the_page| of_the_page == line),
                "docs/cookbook.md lacks this line of {}: make cookbook\n{line}",
                recipe.display()
            );
        }
    }
}
