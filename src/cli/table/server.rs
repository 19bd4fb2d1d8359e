//! The flags about servers and connections, part of the table of all flags.

use crate::cli::flags::{Flag, Group, Kind, more, nothing, switch, text, whole};

/// How to reach the servers.
pub(super) const SERVER: Group = Group {
    title: "Server",
    flags: &[
        text(
            "host",
            "127.0.0.1",
            "The primary, or a replica of it: name or address",
        ),
        whole("port", "3306", (1, 65_535), "Its TCP port"),
        text("user", "", "Account; overrides --conf"),
        more(
            Flag {
                kind: Kind::Secret,
                ..text("password", "", "Password of --user")
            },
            "Better given in --conf, by --ask-pass or in TABLESHIFT_PASSWORD: process lists show a \
             command line to everybody on the host.",
        ),
        more(
            switch("ask-pass", "Ask for the password on the terminal"),
            "Prompts without echo; refused where there is no terminal.",
        ),
        more(
            text(
                "conf",
                "",
                "Option file with user and password (my.cnf form)",
            ),
            "Reads [client], [mysql], [tableshift]: user, password, host, port, ssl-ca, ssl-cert, ssl-key, \
             ssl-mode; quotes, comments, !include, !includedir, and ${NAME} for environment variables. \
             Flags win over the file. Read again on SIGHUP.",
        ),
        text(
            "assume-master-host",
            "",
            "The primary, host[:port]; not looked for",
        ),
        text(
            "master-user",
            "",
            "Account there; needs --assume-master-host",
        ),
        Flag {
            kind: Kind::Secret,
            ..text(
                "master-password",
                "",
                "Its password; needs --assume-master-host",
            )
        },
        more(
            Flag {
                kind: Kind::Number(0.0, 86_400.0),
                ..text(
                    "mysql-timeout",
                    "0.0",
                    "Longest time to connect, in seconds",
                )
            },
            "0 stands for 10 s. Statements have limits of their own.",
        ),
        nothing(
            text(
                "charset",
                "utf8mb4,utf8,latin1",
                "Character sets of connections",
            ),
            "every connection speaks utf8mb4, and values never pass through it",
        ),
        switch("ssl", "Use TLS to all servers"),
        text(
            "ssl-ca",
            "",
            "Certificates to trust, a PEM file; needs --ssl",
        ),
        text(
            "ssl-cert",
            "",
            "Our certificate, PEM; needs --ssl, --ssl-key",
        ),
        text("ssl-key", "", "Its key, PEM; needs --ssl, --ssl-cert"),
        switch(
            "ssl-allow-insecure",
            "Don't check the server's certificate; needs --ssl",
        ),
        more(
            Flag {
                kind: Kind::Word(&[
                    "",
                    "disabled",
                    "preferred",
                    "required",
                    "verify-ca",
                    "verify-identity",
                ]),
                ..text(
                    "ssl-mode",
                    "",
                    "TLS as the mysql client's option of this name",
                )
            },
            "disabled, preferred, required, verify-ca or verify-identity. --ssl alone is \
             verify-identity, with --ssl-allow-insecure required.",
        ),
        nothing(
            switch("skip-port-validation", "Don't compare @@port with --port"),
            "host and port are never compared with the server's own",
        ),
        nothing(
            whole(
                "replica-server-id",
                "99999",
                (0, 4_294_967_295),
                "Server id of the dump",
            ),
            "a random id is used that no replica has",
        ),
        more(
            whole(
                "binlogsyncer-max-reconnect-attempts",
                "0",
                (0, 10_000),
                "Dump failures in a row; 0: 30",
            ),
            "Losses of the dump's connection one after another, nothing read between, that end the run.",
        ),
        nothing(
            text("storage-engine", "innodb", "The table's engine"),
            "only InnoDB is migrated",
        ),
    ],
};
