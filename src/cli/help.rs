//! What is told about the flags, made from their table: `-h`, `--help` and `docs/flags.md`. Pure.
//!
//! The width is always the same, so that a script, a terminal and the golden files see the same text.

use super::flags::{Effect, Flag, GROUPS, Kind};

/// Columns of `-h` and `--help`.
pub const WIDTH: usize = 79;
/// Column at which `-h` begins to explain, where the name leaves room.
const COLUMN: usize = 26;

/// Flags that gh-ost doesn't have.
const OURS: [&str; 19] = [
    "allow-drop-columns",
    "no-shortcuts",
    "schema",
    "compare-plans",
    "compare-plans-wait",
    "copy-workers",
    "cut-over-window",
    "discover-replicas",
    "force-cut-over-after",
    "hooks-timeout",
    "kill-blockers",
    "log-format",
    "metrics-listen",
    "refresh-workers",
    "serve-tcp-host",
    "ssl-mode",
    "verify",
    "verify-repair",
    "verify-sample-percent",
];

const USAGE: &str = "\
Usage: tableshift --host=HOST --user=USER --database=SCHEMA --table=TABLE \\
                  --alter='ADD COLUMN …' [--execute] [FLAGS]
       tableshift plan …        (tells what that would do)
       tableshift ctl …         (speaks to a running migration)
       tableshift verify …      (compares two tables)
       tableshift completions bash|zsh|fish
       tableshift man
";

/// One line for each flag.
#[must_use]
pub fn short() -> String {
    let mut text = format!(
        "Changes a MySQL table's shape while the application goes on writing to it.\n\n{USAGE}"
    );
    for group in &GROUPS {
        text.push_str(&format!("\n{}:\n", group.title));
        for flag in group.flags {
            let name = format!("  --{}", flag.name);
            text.push_str(&format!("{name:<COLUMN$}  {}\n", flag.help));
        }
    }
    text.push_str("\n  -h, --help, --version\n\nUnits, defaults and more: tableshift --help\n");
    text
}

/// Everything about each flag.
#[must_use]
pub fn long() -> String {
    let mut text = format!(
        "Changes a MySQL table's shape while the application goes on writing to it: the\n\
         rows are copied to a new table, changes are followed, everything is verified,\n\
         and both tables are swapped under a short lock.\n\n{USAGE}\n\
         Flags have one dash or two, and their values follow after = or a blank; those\n\
         without a value are on or off: --flag, --flag=true, --flag=false.\n"
    );
    for group in &GROUPS {
        text.push_str(&format!("\n{}:\n", group.title));
        for flag in group.flags {
            text.push_str(&format!("\n  --{}{}\n", flag.name, placeholder(flag)));
            for sentence in sentences(flag) {
                wrap(&mut text, &sentence);
            }
        }
    }
    text.push_str(
        "\n  -h            One line for each flag\n  --help        This text\n  \
         --version     Version and commit\n\nExit codes: 0 done, 1 a bug, 2 command line, 3 refused, \
         4 stopped, 5 failed,\n6 outcome unknown, 7 done with leftovers, 8 goes on when run again, 11 nothing\nto do \
         (docs/exit-codes.md).\n",
    );
    text
}

/// The reference page.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(
        "# Flags\n\nMade from the table in `src/cli/flags.rs`: `TABLESHIFT_WRITE_DOCS=1 cargo test --test \
         command_line`.\n\nFlags have one dash or two, and their values follow after `=` or a blank; \
         switches need `=` for a value. Flags win over the environment (`TABLESHIFT_PASSWORD`), which wins \
         over the file of `--conf`. *Live* is the command that changes a value while a migration runs.\n",
    );
    for group in &GROUPS {
        text.push_str(&format!(
            "\n## {}\n\n| flag | value | default | meaning | live | unlike gh-ost |\n|---|---|---|---|---|---|\n",
            group.title
        ));
        for flag in group.flags {
            let default = match (flag.default, flag.kind) {
                ("", _) => String::new(),
                (default, _) => format!("`{default}`"),
            };
            let meaning = [flag.help.to_owned() + ".", flag.more.to_owned()];
            let live = match flag.live {
                "" => String::new(),
                live => format!("`{live}`"),
            };
            text.push_str(&format!(
                "| `--{}` | {} | {default} | {} | {live} | {} |\n",
                flag.name,
                cell(&value(flag.kind)),
                cell(meaning.join(" ").trim()),
                cell(&unlike_gh_ost(flag)),
            ));
        }
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn placeholder(flag: &Flag) -> &'static str {
    match flag.kind {
        Kind::Switch => "",
        Kind::Whole(..) | Kind::Number(..) => "=N",
        Kind::Word(_) => "=WORD",
        Kind::Text | Kind::Secret | Kind::Texts => "=TEXT",
    }
}

fn value(kind: Kind) -> String {
    match kind {
        Kind::Switch => "switch".into(),
        Kind::Text => "text".into(),
        Kind::Secret => "text, shown nowhere".into(),
        Kind::Texts => "text, several times".into(),
        Kind::Whole(least, most) => format!("{least} to {most}"),
        Kind::Number(least, most) => format!("{least} to {most}, with fraction"),
        Kind::Word(words) => {
            let words: Vec<&str> = words
                .iter()
                .copied()
                .filter(|word| !word.is_empty())
                .collect();
            words.join(", ")
        }
    }
}

fn sentences(flag: &Flag) -> Vec<String> {
    let mut sentences = vec![format!("{}.", flag.help)];
    if !flag.more.is_empty() {
        sentences.push(flag.more.to_owned());
    }
    let range = match flag.kind {
        // A range in the text says the same with its unit.
        Kind::Whole(..) | Kind::Number(..) if !flag.more.contains(" to ") => value(flag.kind),
        _ => String::new(),
    };
    let mut facts = Vec::new();
    if !range.is_empty() {
        facts.push(format!("Range: {range}."));
    }
    if !flag.default.is_empty() && flag.default != "false" {
        facts.push(format!("Default: {}.", flag.default));
    }
    if !flag.live.is_empty() {
        facts.push(format!("While running: {}.", flag.live));
    }
    if !facts.is_empty() {
        sentences.push(facts.join(" "));
    }
    match flag.effect {
        Effect::Nothing(why) => sentences.push(format!("Accepted without effect: {why}.")),
        Effect::Acts => {}
    }
    sentences
}

fn unlike_gh_ost(flag: &Flag) -> String {
    if let Effect::Nothing(why) = flag.effect {
        return format!("No effect: {why}.");
    }
    if OURS.contains(&flag.name) {
        return "Not in gh-ost.".into();
    }
    let difference = match flag.name {
        "attempt-instant-ddl" => {
            "On unless given as false; in place too, where it is metadata alone."
        }
        "binlogsyncer-max-reconnect-attempts" => "0 is 30, not endless.",
        "chunk-size" => "The most a chunk may have, not its size; out of range is refused.",
        "conf" => "Takes MySQL's own option files, with host, port and TLS.",
        "cut-over-lock-timeout-seconds" | "exponential-backoff-max-interval" => {
            "Out of range is refused; gh-ost goes on with its default."
        }
        "mysql-timeout" => "To connect only; gh-ost's is for reading and writing as well.",
        "panic-flag-file" => "The helper tables are dropped.",
        "quiet" | "verbose" => "Steps are logged unless --quiet; gh-ost logs errors only.",
        "ssl" => "Without --ssl-ca the built-in public authorities are trusted, not the host's.",
        "heartbeat-interval-millis" | "nice-ratio" | "max-lag-millis" => "Out of range is refused.",
        _ => "",
    };
    difference.into()
}

/// Words in lines of [`WIDTH`] columns, indented.
fn wrap(text: &mut String, sentence: &str) {
    const INDENT: &str = "        ";
    let mut column = 0;
    for word in sentence.split_whitespace() {
        let length = word.chars().count();
        if column == 0 || column + 1 + length > WIDTH {
            if column > 0 {
                text.push('\n');
            }
            text.push_str(INDENT);
            column = INDENT.len();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_at_most_79_columns() {
        let wide: Vec<String> = [short(), long()]
            .iter()
            .flat_map(|text| text.lines())
            .filter(|line| line.chars().count() > WIDTH)
            .map(|line| format!("{} {line}", line.chars().count()))
            .collect();
        assert!(wide.is_empty(), "{}", wide.join("\n"));
    }

    #[test]
    fn flags_said_to_be_ours_exist() {
        for name in OURS {
            assert!(
                super::super::flags::all().any(|flag| flag.name == name),
                "{name}"
            );
        }
    }
}
