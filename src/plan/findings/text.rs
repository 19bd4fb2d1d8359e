//! Character sets and collations that become others than somebody may expect.

use super::Finding;
use crate::plan::Plan;
use crate::plan::inspection::Column;
use crate::sql::quoted;

/// What of the table's text is compared, sorted or stored otherwise than before.
pub(super) fn surprises(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for shared in &plan.columns.shared {
        let (from, to) = (&shared.from, &shared.to);
        if from.collation.is_none() || to.collation.is_none() || from.collation == to.collation {
            continue;
        }
        findings.push(Finding::warning(
            "collation-changed",
            format!(
                "column {} changes its collation from {} to {}",
                quoted(&to.name),
                collation(from),
                collation(to)
            ),
            "what counts as equal and how it sorts may change; joins with columns that keep the old collation \
             lose their index, or fail (error 1267)",
            "name CHARACTER SET and COLLATE in the ALTER if this isn't meant: MODIFY and CHANGE fall back to the \
             table's default",
        ));
    }
    let (before, after) = (
        table_default(&plan.original.definition),
        table_default(&plan.ghost.definition),
    );
    let lags = |column: &&Column| column.collation.is_some() && column.collation != after;
    let behind: Vec<String> = plan
        .ghost
        .columns
        .iter()
        .filter(|column| plan.columns.original_of(&column.name).is_some())
        .filter(lags)
        .map(|column| column.name.clone())
        .collect();
    if let (Some(before), Some(after)) = (&before, &after)
        && before != after
        && !behind.is_empty()
    {
        findings.push(Finding::warning(
            "default-collation-only",
            format!(
                "the table's default collation changes from {before} to {after}, but not that of {}",
                super::listed(&behind)
            ),
            "a default counts for columns that are added later",
            "write CONVERT TO CHARACTER SET … COLLATE … to convert the columns",
        ));
    }
    findings.extend(added(plan, after.as_deref()));
    findings
}

/// New text beside old text of another collation.
fn added(plan: &Plan, default: Option<&str>) -> Option<Finding> {
    let default = default?;
    let unlike: Vec<String> = plan
        .ghost
        .columns
        .iter()
        .filter(|column| plan.original.column(&column.name).is_none())
        .filter(|column| plan.columns.original_of(&column.name).is_none())
        .filter(|column| {
            column
                .collation
                .as_deref()
                .is_some_and(|own| own != default)
        })
        .map(|column| format!("{} ({})", quoted(&column.name), collation(column)))
        .collect();
    (!unlike.is_empty()).then(|| {
        Finding::info(
            "mixed-collations",
            format!(
                "added with another collation than the table's {default}: {}",
                unlike.join(", ")
            ),
            "comparing it with the table's other columns may need a COLLATE clause",
            "",
        )
    })
}

fn collation(column: &Column) -> String {
    column.collation.clone().unwrap_or_default()
}

/// The collation in a definition's last line; without one it is the character set's own, which stands for
/// itself.
fn table_default(definition: &str) -> Option<String> {
    let options = definition.lines().find(|line| line.starts_with(") "))?;
    let value = |key: &str| {
        let (_, rest) = options.split_once(key)?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    value(" COLLATE=").or_else(|| value(" DEFAULT CHARSET="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_the_table_s_collation() {
        let definition = "CREATE TABLE `t` (\n  `a` int\n) ENGINE=InnoDB DEFAULT CHARSET=";
        assert_eq!(
            table_default(&format!(
                "{definition}utf8mb4 COLLATE=utf8mb4_bin COMMENT='x'"
            )),
            Some("utf8mb4_bin".into())
        );
        assert_eq!(
            table_default(&format!("{definition}latin1")),
            Some("latin1".into())
        );
        assert_eq!(table_default("CREATE TABLE `t`"), None);
    }
}
