//! What the server said, as plain data without opinion.
//!
//! Filled by `mysql::inspect`, read by the checks and by [`super::make`].

use super::backfill::Typed;
use super::saved::Saved;

/// Version of a MySQL server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version {
    /// First number.
    pub major: u16,
    /// Second number.
    pub minor: u16,
    /// Third number.
    pub patch: u16,
}

impl Version {
    /// Reads the leading numbers of `@@version` (`9.7.4-2`, `8.0.36-28.1`).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut numbers = text
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse::<u16>().unwrap_or_default());
        Self {
            major: numbers.next().unwrap_or_default(),
            minor: numbers.next().unwrap_or_default(),
            patch: numbers.next().unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// One column of a table, from `information_schema.columns`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Column {
    /// Name as the table spells it.
    pub name: String,
    /// Position from 0, counting all columns; row events use the same position.
    pub ordinal: usize,
    /// Default as text, if there is one.
    pub default: Option<String>,
    /// Accepts NULL.
    pub nullable: bool,
    /// Type name in lower case (`mediumint`).
    pub data_type: String,
    /// Whole type (`mediumint unsigned`).
    pub column_type: String,
    /// Character set of text.
    pub charset: Option<String>,
    /// Collation of text.
    pub collation: Option<String>,
    /// The EXTRA field (`auto_increment`, `VIRTUAL GENERATED`, `INVISIBLE`, …).
    pub extra: String,
    /// What a generated column is computed from.
    pub generation: String,
    /// Digits of fractional seconds of a temporal.
    pub fraction_digits: u8,
    /// Length in bytes of a string type.
    pub octet_length: Option<u64>,
    /// Precision and scale of a DECIMAL.
    pub decimal: Option<(u64, u64)>,
}

impl Column {
    /// Is computed by the server, so it can't be written.
    #[must_use]
    pub fn generated(&self) -> bool {
        let extra = self.extra.to_ascii_uppercase();
        extra.contains("VIRTUAL GENERATED") || extra.contains("STORED GENERATED")
    }

    /// Counts by itself.
    #[must_use]
    pub fn auto_increment(&self) -> bool {
        self.extra.to_ascii_lowercase().contains("auto_increment")
    }

    /// Is unsigned.
    #[must_use]
    pub fn unsigned(&self) -> bool {
        self.column_type.to_ascii_lowercase().contains("unsigned")
    }
}

/// One column of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPart {
    /// The column, or `None` for an expression.
    pub column: Option<String>,
    /// Only a prefix of the column is indexed.
    pub prefix: bool,
    /// The expression, if it isn't a column.
    pub expression: Option<String>,
}

/// One index of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Name (`PRIMARY` for the primary key).
    pub name: String,
    /// Enforces uniqueness.
    pub unique: bool,
    /// Its columns in order.
    pub parts: Vec<IndexPart>,
}

/// A table as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Name as the server spells it.
    pub name: String,
    /// `BASE TABLE` or something else.
    pub kind: String,
    /// Storage engine.
    pub engine: String,
    /// Row estimate of the engine's statistics, read past the statistics cache.
    pub rows_estimate: u64,
    /// Average bytes of a row, likewise.
    pub row_bytes: u64,
    /// Its columns by position.
    pub columns: Vec<Column>,
    /// Its indexes, in the server's order: the first unique one without NULL is the clustered index.
    pub indexes: Vec<Index>,
    /// The whole definition, to notice changes made by somebody else.
    pub definition: String,
}

impl Table {
    /// The column of this name, in any letter case, as the server compares column names.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| same_name(&column.name, name))
    }
}

/// How a server tells the names of schemas and tables apart (`@@lower_case_table_names`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableNames {
    /// `T` and `t` are two tables: 0, the default on Linux.
    #[default]
    Exact,
    /// They are one: 1 and 2.
    AnyCase,
}

impl TableNames {
    /// Both mean the same schema or table on this server.
    #[must_use]
    pub fn same(self, one: &str, other: &str) -> bool {
        one == other || self == Self::AnyCase && same_name(one, other)
    }
}

/// Column and index names are compared without letter case by the server; for those of tables see
/// [`TableNames`].
#[must_use]
pub fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A foreign key that begins or ends at the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Name of the constraint.
    pub name: String,
    /// `schema.table` that has the constraint.
    pub child: String,
    /// `schema.table` it refers to.
    pub parent: String,
    /// A change of the parent can change rows of the child.
    pub cascades: bool,
}

/// The server's side of the facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Server {
    /// Version numbers.
    pub version: Version,
    /// Whole version text with comment.
    pub version_text: String,
    /// `@@hostname`.
    pub hostname: String,
    /// `@@port`.
    pub port: u16,
    /// `@@server_uuid`.
    pub uuid: String,
    /// When it started, in seconds since 1970.
    pub started: i64,
    /// `@@log_bin`.
    pub log_bin: bool,
    /// Rows that a foreign key changes are logged as any other.
    pub logs_cascades: bool,
    /// `@@global.binlog_format`.
    pub binlog_format: String,
    /// `@@read_only` or `@@super_read_only`.
    pub read_only: bool,
    /// `@@super_read_only`.
    pub super_read_only: bool,
    /// What feeds it: one channel for each source.
    pub sources: Vec<Channel>,
    /// `@@log_replica_updates`: what comes from the source stands in its own log.
    pub logs_updates: bool,
    /// Its applier commits in the source's order.
    pub keeps_order: bool,
    /// Its binary log is on disk before anybody reads it.
    pub flushes_log: bool,
    /// `@@gtid_mode`.
    pub gtid_mode: String,
    /// How it tells the names of tables apart.
    pub table_names: TableNames,
    /// `@@performance_schema` and its metadata lock instrument are on.
    pub metadata_locks_visible: bool,
    /// `@@global.max_allowed_packet`, in bytes.
    pub max_allowed_packet: u64,
    /// `@@global.sql_mode`.
    pub sql_mode: String,
    /// The global time zone is UTC at all times.
    pub time_zone_is_utc: bool,
    /// `@@global.time_zone` as set, for messages.
    pub time_zone: String,
    /// `@@system_time_zone`, and other variables that expressions depend on and sessions take from the
    /// server.
    pub expression_settings: String,
    /// The same for connections that are to keep them, as assignments of SET SESSION.
    pub pinned_settings: String,
    /// `@@binlog_row_metadata` etc. don't matter; this one can filter what the stream shows.
    pub binlog_filtered: bool,
}

/// One channel of SHOW REPLICA STATUS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Channel {
    /// Its name; empty for the only one.
    pub name: String,
    /// Where the source is.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The source's `@@server_uuid`; empty as long as it was never reached.
    pub source_uuid: String,
    /// Changes are being applied.
    pub applies: bool,
    /// Filters of the channel that are set: name as in the answer, and value.
    pub filters: Vec<(String, String)>,
}

/// Where a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Site {
    /// On the primary.
    #[default]
    Primary,
    /// On a primary that has another primary as its source.
    CoPrimary,
    /// On a replica, and nowhere else.
    Replica,
}

/// Whose binary log is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Log {
    /// That of the server that is written to.
    #[default]
    Own,
    /// A replica's.
    Replica,
}

/// Privileges that only some migrations need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// To end other connections, after a look at their transactions.
    pub kills: bool,
    /// To create triggers.
    pub triggers: bool,
    /// To explain statements that write to the original.
    pub plans: bool,
    /// To put aside values that only the old table will have.
    pub keeps_values: bool,
    /// To write checkpoints.
    pub checkpoints: bool,
}

/// What the account may do, as far as a migration needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Privileges {
    /// Account as `'user'@'host'`.
    pub account: String,
    /// Needed and missing, each as `PRIVILEGE ON level`, ready for a GRANT.
    pub missing: Vec<String>,
    /// Roles that the account has but doesn't use, ready for SET DEFAULT ROLE.
    pub idle_roles: Vec<String>,
    /// It sees the tables of every schema, and so every foreign key.
    pub sees_every_schema: bool,
}

/// What a run asks of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Setting {
    /// Where it writes.
    pub site: Site,
    /// Whose log it follows.
    pub log: Log,
    /// It follows by GTIDs.
    pub gtid: bool,
    /// It stops replication at the end.
    pub stops_replication: bool,
}

/// A table that bears a helper's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its name.
    pub name: String,
    /// Its comment, by which our own changelogs and checkpoints can be told.
    pub comment: String,
    /// Its first column, by which gh-ost's checkpoints can be told.
    pub first_column: String,
}

/// Everything that was looked up before the first write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// The server.
    pub server: Server,
    /// The original, if it exists.
    pub original: Option<Table>,
    /// Triggers on the original.
    pub triggers: Vec<String>,
    /// Foreign keys from and to the original.
    pub foreign_keys: Vec<ForeignKey>,
    /// Tables that the server locks when rows of the original change: relatives by foreign keys, and tables
    /// that its triggers use, those included that the account can't see.
    pub relatives: Vec<String>,
    /// Views, triggers and routines of other schemas that mention the table: through them a statement
    /// that names neither table nor schema can change it.
    pub reached_from: Vec<String>,
    /// Helper tables that exist already, of the names this run would use.
    pub leftovers: Vec<Leftover>,
    /// What an earlier run has left to go on from.
    pub saved: Option<Saved>,
    /// A ghost is there that holds no rows; looked at only beside a changelog of ours without a checkpoint.
    pub ghost_empty: bool,
    /// Names of the schema's CHECK constraints, without those of the ghost and the old table.
    pub check_names: Vec<String>,
    /// Those of an earlier run's old table, free once it is dropped.
    pub old_check_names: Vec<String>,
    /// What the account lacks.
    pub privileges: Privileges,
    /// What the run asks of the server.
    pub setting: Setting,
    /// The operator's backfills, with the types that the server gives their values.
    pub backfills: Vec<Typed>,
}
