//! Many migrations as one: what a manifest says ([`manifest`]), which tables it means ([`jobs`]), and which of
//! them may begin now ([`schedule`]). Pure.

pub mod jobs;
pub mod manifest;
pub mod schedule;

/// Name of the table that holds a batch's state.
pub const TABLE: &str = "_tableshift_batch";
/// The format that this version reads and writes.
pub const FORMAT: u32 = 1;

/// The comment of the table.
#[must_use]
pub fn comment() -> String {
    format!("tableshift batch, format {FORMAT}")
}

/// Name of the lock that a worker holds on the state's server while it lives.
#[must_use]
pub fn worker_lock(batch: &str, worker: &str) -> String {
    let digest = super::names::digest(&format!("{batch}\0{worker}"));
    format!("tableshift-batch-{digest:016x}")
}

/// What a table is, as far as a migration changes it: its definition without the next AUTO_INCREMENT, which
/// applications change.
#[must_use]
pub fn identity(definition: &str) -> String {
    const OPTION: &str = " AUTO_INCREMENT=";
    // The table's options stand behind the last parenthesis at the beginning of a line.
    let (columns, options) = match definition.rfind("\n)") {
        Some(at) => definition.split_at(at),
        None => (definition, ""),
    };
    let options = match options.split_once(OPTION) {
        Some((before, after)) => {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}{after}")
        }
        None => options.to_owned(),
    };
    // The first line has the name, which a rename doesn't make another table.
    let body = columns.split_once('\n').map_or(columns, |(_, rest)| rest);
    format!("{:016x}", super::names::digest(&format!("{body}{options}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_its_definition_without_the_next_number() {
        let one =
            "CREATE TABLE `t` (\n  `a` int AUTO_INCREMENT\n) ENGINE=InnoDB AUTO_INCREMENT=7 X";
        let next = one.replace("=7", "=812");
        let other = one.replace("`a`", "`b`");
        assert_eq!(identity(one), identity(&next));
        assert_ne!(identity(one), identity(&other));
        let comment = one.replace("\n)", " COMMENT ' AUTO_INCREMENT=1'\n)");
        assert_ne!(identity(&comment), identity(&comment.replace("=1'", "=2'")));
    }
}
