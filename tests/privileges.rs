//! What the account may do: grants on every level, roles and partial revokes add up as the server adds them
//! up, and what is missing is said as the GRANT to run, for the right server.

#[cfg(test)]
mod support;

use std::process::{Command, Output};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{assert_code, assert_done, execute, schema, tables};
use support::server::Server;
use support::tableshift_command;

/// The migration of `t`, as another account.
fn migration(server: &Server, name: &str, user: &str, flags: &[&str]) -> Output {
    let usual = tableshift_command(server, name, "t", "ADD COLUMN note INT");
    let mut command = Command::new(usual.get_program());
    let mut arguments: Vec<_> = usual.get_args().map(ToOwned::to_owned).collect();
    for (flag, value) in [("--user", user), ("--password", "p")] {
        let at = arguments.iter().position(|argument| argument == flag);
        arguments[at.expect("the flag") + 1] = value.into();
    }
    command
        .args(arguments)
        .arg("--execute")
        .args(flags)
        .output()
        .expect("the program")
}

async fn user(conn: &mut Conn, name: &str, grants: &[&str]) {
    execute(conn, &[&format!("CREATE USER {name} IDENTIFIED BY 'p'")]).await;
    for grant in grants {
        execute(conn, &[&format!("GRANT {grant} TO {name}")]).await;
    }
}

/// The replica has what the primary has committed by now.
async fn caught_up(primary: &mut Conn, replica: &mut Conn) {
    let done: Option<String> = primary
        .query_first("SELECT @@gtid_executed")
        .await
        .expect("the set");
    let wait = format!(
        "DO WAIT_FOR_EXECUTED_GTID_SET('{}', 60)",
        done.expect("the set")
    );
    execute(replica, &[&wait]).await;
}

/// The statements that a refusal asks for.
fn asked_for(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text
        .lines()
        .find(|line| line.contains("GRANT "))
        .unwrap_or_else(|| panic!("no GRANT in:\n{text}"));
    line.split("GRANT ")
        .skip(1)
        .map(|rest| format!("GRANT {}", rest.split(';').next().unwrap_or_default()))
        .collect()
}

const SERVER: [&str; 2] = [
    "REPLICATION SLAVE, REPLICATION CLIENT ON *.*",
    "SELECT ON performance_schema.*",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_as_grants_and_these_are_enough() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "nothing", 100).await;
    user(&mut conn, "stranger", &[]).await;
    // The server doesn't even show the schema.
    let output = migration(&server, "nothing", "stranger", &[]);
    assert_code(&output, 3, &["lacks privileges", "'stranger'@'%'"]);
    for grant in asked_for(&output) {
        execute(&mut conn, &[&grant]).await;
    }
    let output = migration(&server, "nothing", "stranger", &["--ok-to-drop-table"]);
    assert_done(&output);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_on_single_tables_are_enough() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "single", 100).await;
    user(&mut conn, "frugal", &SERVER).await;
    for grant in [
        "ALTER, CREATE, DELETE, DROP, INSERT, SELECT, TRIGGER ON single.t",
        "LOCK TABLES ON single.*",
    ] {
        execute(&mut conn, &[&format!("GRANT {grant} TO frugal")]).await;
    }
    let output = migration(&server, "single", "frugal", &[]);
    let asked = asked_for(&output);
    assert_eq!(
        asked,
        [
            "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, SELECT, UPDATE ON `single`.* TO \
          'frugal'@'%'"
        ]
    );
    for helper in ["_t_gho", "_t_ghc", "_t_ghk", "_t_del"] {
        let grant = format!(
            "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, SELECT, UPDATE ON single.{helper} TO \
             frugal"
        );
        execute(&mut conn, &[&grant]).await;
    }
    assert_done(&migration(
        &server,
        "single",
        "frugal",
        &["--ok-to-drop-table"],
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_count_when_they_are_active() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "roles", 100).await;
    execute(
        &mut conn,
        &["CREATE ROLE outer_role, inner_role, everybody"],
    )
    .await;
    for (grant, role) in [
        ("ALL ON roles.*", "outer_role"),
        (SERVER[0], "inner_role"),
        (SERVER[1], "everybody"),
    ] {
        execute(&mut conn, &[&format!("GRANT {grant} TO {role}")]).await;
    }
    execute(&mut conn, &["GRANT inner_role TO outer_role"]).await;
    user(&mut conn, "actor", &["outer_role"]).await;
    execute(&mut conn, &["GRANT everybody TO actor"]).await;
    let output = migration(&server, "roles", "actor", &[]);
    assert_code(
        &output,
        3,
        &[
            "lacks privileges",
            "SET DEFAULT ROLE `everybody`@`%`,`outer_role`@`%` TO",
        ],
    );
    execute(&mut conn, &["SET DEFAULT ROLE ALL TO actor"]).await;
    assert_done(&migration(
        &server,
        "roles",
        "actor",
        &["--ok-to-drop-table"],
    ));
    // Mandatory and activated at login, for an account that was given only one of them.
    execute(
        &mut conn,
        &[
            "SET GLOBAL mandatory_roles = 'everybody'",
            "SET GLOBAL activate_all_roles_on_login = ON",
            "ALTER TABLE t DROP COLUMN note",
        ],
    )
    .await;
    user(&mut conn, "extra", &["outer_role"]).await;
    assert_done(&migration(
        &server,
        "roles",
        "extra",
        &["--ok-to-drop-table"],
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_revoke_takes_away_and_names_are_no_patterns_then() {
    let server = Server::start(&["--partial-revokes=ON"]);
    let mut conn = schema(&server, "part_ial", 100).await;
    user(&mut conn, "nearly", &["ALL ON *.*"]).await;
    execute(
        &mut conn,
        &["REVOKE DELETE, DROP ON part_ial.* FROM nearly"],
    )
    .await;
    let output = migration(&server, "part_ial", "nearly", &[]);
    let asked = asked_for(&output);
    assert_eq!(
        asked,
        ["GRANT DELETE, DROP ON `part_ial`.* TO 'nearly'@'%'"]
    );
    execute(&mut conn, &[&asked[0]]).await;
    assert_done(&migration(
        &server,
        "part_ial",
        "nearly",
        &["--ok-to-drop-table"],
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_is_asked_for_what_is_done_there() {
    let primary = Server::start(&[]);
    let replica = Server::start_replica_of(&primary);
    let mut conn = schema(&primary, "two", 100).await;
    user(&mut conn, "twofold", &["REPLICATION CLIENT ON *.*"]).await;
    let mut on_replica = replica.conn(None).await;
    caught_up(&mut conn, &mut on_replica).await;
    let output = migration(&replica, "two", "twofold", &[]);
    assert_code(&output, 3, &[&format!(":{}", replica.port)]);
    assert_eq!(
        asked_for(&output),
        [
            "GRANT SELECT ON `two`.* TO 'twofold'@'%'",
            "GRANT REPLICATION SLAVE ON *.* TO 'twofold'@'%'",
            "GRANT SELECT ON performance_schema.* TO 'twofold'@'%'"
        ]
    );
    for grant in asked_for(&output) {
        execute(&mut conn, &[&grant]).await;
    }
    execute(&mut conn, &["REVOKE REPLICATION SLAVE ON *.* FROM twofold"]).await;
    // On the replica alone, which logs what the primary needn't.
    caught_up(&mut conn, &mut on_replica).await;
    execute(
        &mut on_replica,
        &[
            "SET GLOBAL super_read_only = OFF",
            "SET sql_log_bin = OFF",
            "GRANT REPLICATION SLAVE ON *.* TO twofold",
        ],
    )
    .await;
    let output = migration(&replica, "two", "twofold", &[]);
    assert_code(&output, 3, &[&format!(":{}", primary.port)]);
    let asked = asked_for(&output);
    assert_eq!(
        asked,
        [
            "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, LOCK TABLES, UPDATE ON `two`.* TO \
          'twofold'@'%'",
            "GRANT TRIGGER ON `two`.`t` TO 'twofold'@'%'"
        ]
    );
    for grant in asked {
        execute(&mut conn, &[&grant]).await;
    }
    assert_done(&migration(
        &replica,
        "two",
        "twofold",
        &["--ok-to-drop-table"],
    ));
    assert_eq!(tables(&mut conn).await, ["t"]);
}
