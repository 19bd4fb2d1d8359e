//! Statements about the ghost's deferred indexes.

use super::{Statement, qualified, quoted};
use crate::plan::indexes::Deferred;
use crate::plan::names::Names;

/// Takes them off the empty ghost.
#[must_use]
pub fn put_off(names: &Names, deferred: &Deferred) -> Statement {
    let drops: Vec<String> = deferred
        .indexes
        .iter()
        .map(|index| format!("DROP INDEX {}", quoted(&index.name)))
        .collect();
    Statement::new("put indexes off", changed(names, &drops))
}

/// Builds all of them in one pass over the rows, while rows are written. `mark` tells it from the DDL of
/// others.
#[must_use]
pub fn build(names: &Names, deferred: &Deferred, mark: &str) -> Statement {
    let adds: Vec<String> = deferred
        .indexes
        .iter()
        .map(|index| format!("ADD {}", index.text))
        .collect();
    let text = changed(names, &adds);
    Statement::new("build the indexes", format!("{text} /* {mark} */"))
}

fn changed(names: &Names, changes: &[String]) -> String {
    format!(
        "ALTER /* tableshift */ TABLE {} {}, ALGORITHM=INPLACE, LOCK=NONE",
        qualified(&names.schema, &names.ghost),
        changes.join(", "),
    )
}

/// Who would have to replay the building: threads that send the binary log to anybody but a run of this
/// program, and other members of the group.
#[must_use]
pub fn audience() -> Statement {
    Statement::new(
        "look for replicas",
        "SELECT /* tableshift */ (SELECT COUNT(*) FROM performance_schema.threads AS t WHERE \
         t.PROCESSLIST_COMMAND LIKE 'Binlog Dump%' AND NOT EXISTS (SELECT 1 FROM \
         performance_schema.session_connect_attrs AS a WHERE a.PROCESSLIST_ID = t.PROCESSLIST_ID AND \
         a.ATTR_NAME = 'tableshift_run')) + (SELECT COUNT(*) FROM \
         performance_schema.replication_group_members WHERE MEMBER_ID NOT IN ('', @@server_uuid))"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::indexes::DeferredIndex;

    #[test]
    fn one_statement_for_all_of_them_online_or_not_at_all() {
        let index = |name: &str, text: &str| DeferredIndex {
            name: name.into(),
            text: text.into(),
        };
        let deferred = Deferred {
            indexes: vec![
                index("a`b", "KEY `a``b` (`x` DESC) COMMENT 'it''s'"),
                index("c", "KEY `c` (`y`(7)) /*!80000 INVISIBLE */"),
            ],
            without: String::new(),
        };
        let names = Names::new("s", "t", None, None);
        assert_eq!(
            put_off(&names, &deferred).text,
            "ALTER /* tableshift */ TABLE `s`.`_t_gho` DROP INDEX `a``b`, DROP INDEX `c`, \
             ALGORITHM=INPLACE, LOCK=NONE"
        );
        assert_eq!(
            build(&names, &deferred, "run-7").text,
            "ALTER /* tableshift */ TABLE `s`.`_t_gho` ADD KEY `a``b` (`x` DESC) COMMENT 'it''s', ADD KEY \
             `c` (`y`(7)) /*!80000 INVISIBLE */, ALGORITHM=INPLACE, LOCK=NONE /* run-7 */"
        );
    }
}
