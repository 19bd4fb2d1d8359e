//! What is asked of servers about pauses: load, lag and replicas.

use super::{Statement, qualified, text_literal};
use crate::plan::names::Names;

/// The values of these status variables.
#[must_use]
pub fn status<'a>(variables: impl Iterator<Item = &'a str>) -> Statement {
    let names: Vec<String> = variables.map(text_literal).collect();
    Statement::new(
        "read the load",
        format!(
            "SELECT /* tableshift */ VARIABLE_NAME, VARIABLE_VALUE FROM \
             performance_schema.global_status WHERE VARIABLE_NAME IN ({})",
            names.join(", ")
        ),
    )
}

/// The operator's throttle query.
#[must_use]
pub fn throttle_query(text: &str) -> Statement {
    Statement::new("run the throttle query", text.to_owned())
}

/// Has the server end a query of this session after so many milliseconds.
#[must_use]
pub fn limit_execution(milliseconds: u128) -> Statement {
    Statement::new(
        "set the session up",
        format!("SET SESSION max_execution_time={milliseconds}"),
    )
}

/// The heartbeat that a replica has, from its copy of the changelog.
#[must_use]
pub fn heartbeat(names: &Names) -> Statement {
    Statement::new(
        "read the heartbeat",
        format!(
            "SELECT /* tableshift */ value FROM {} WHERE hint='heartbeat'",
            qualified(&names.schema, &names.changelog)
        ),
    )
}

/// The replicas that are connected to this server: `Server_Id, Host, Port, …` (8.0.22 and newer).
#[must_use]
pub fn replicas() -> Statement {
    Statement::new("look for replicas", "SHOW REPLICAS".into())
}

/// The same in the words of older servers.
#[must_use]
pub fn replicas_before_8_0_22() -> Statement {
    Statement::new("look for replicas", "SHOW SLAVE HOSTS".into())
}
