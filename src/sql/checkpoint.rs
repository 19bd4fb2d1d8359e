//! The checkpoint table's statements; `plan::saved` says what its content means.

use super::{Statement, qualified, quoted, text_literal};
use crate::plan::names::Names;
use crate::plan::saved::{COMMENT_NOW, CopiedTo, Origin, Progress, Seen, pack};

/// Columns of the table, in their order; row events tell the number by its place.
const COLUMNS: [(&str, &str); 24] = [
    ("id", "TINYINT UNSIGNED NOT NULL PRIMARY KEY"),
    ("number", "BIGINT UNSIGNED NOT NULL"),
    ("saved_at", "TIMESTAMP NULL"),
    ("alteration", "LONGTEXT"),
    ("original", "LONGTEXT"),
    ("ghost", "LONGTEXT"),
    ("statements", "LONGTEXT"),
    ("made_at", "VARCHAR(32)"),
    ("made_at_utc", "VARCHAR(32)"),
    ("stage", "TINYINT UNSIGNED"),
    ("server_uuid", "VARCHAR(64)"),
    ("server_started", "BIGINT"),
    ("server_flushed", "BOOL"),
    ("log_uuid", "VARCHAR(64)"),
    ("log_started", "BIGINT"),
    ("log_flushed", "BOOL"),
    ("log_file", "VARCHAR(512)"),
    ("log_offset", "BIGINT UNSIGNED"),
    ("gtids", "LONGTEXT"),
    ("copied_all", "BOOL"),
    ("copied_to", "BLOB"),
    ("passed_over", "LONGBLOB"),
    ("rows_copied", "BIGINT UNSIGNED"),
    ("old_table", "VARCHAR(64)"),
];

/// How many there are.
pub const CHECKPOINT_COLUMNS: usize = COLUMNS.len();
/// Place of the checkpoint's number among them.
pub const NUMBER_ORDINAL: usize = 1;

/// Creates the table.
#[must_use]
pub fn create_checkpoint(names: &Names) -> Statement {
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, kind)| format!("{} {kind}", quoted(name)))
        .collect();
    Statement::new(
        "create the checkpoint table",
        format!(
            "CREATE /* tableshift */ TABLE {} ({}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
             COLLATE=utf8mb4_bin COMMENT={}",
            qualified(&names.schema, &names.checkpoint),
            columns.join(", "),
            text_literal(COMMENT_NOW),
        ),
    )
}

/// Writes down what the migration is.
#[must_use]
pub fn describe_migration(names: &Names, origin: &Origin) -> Statement {
    let values = [
        &origin.alter,
        &origin.original,
        &origin.ghost,
        &origin.statements,
        &origin.now,
        &origin.now_utc,
    ]
    .map(|text| text_literal(text));
    Statement::new(
        "describe the migration",
        format!(
            "INSERT /* tableshift */ INTO {} (id, number, saved_at, alteration, original, ghost, \
             statements, made_at, made_at_utc) VALUES (1, 0, NOW(), {})",
            qualified(&names.schema, &names.checkpoint),
            values.join(", "),
        ),
    )
}

/// Writes down how far it is; the checkpoint before is replaced.
#[must_use]
pub fn write_checkpoint(names: &Names, progress: &Progress) -> Statement {
    let seen = |seen: &Seen| {
        format!(
            "{}, {}, {}",
            text_literal(&seen.uuid),
            seen.started,
            u8::from(seen.flushed)
        )
    };
    let copied = match &progress.copied {
        CopiedTo::Nothing => "FALSE, NULL".into(),
        CopiedTo::Key(key) => format!("FALSE, {}", hex(key.encoded())),
        CopiedTo::End => "TRUE, NULL".into(),
    };
    let gtids = match &progress.gtids {
        Some(gtids) => text_literal(gtids),
        None => "NULL".into(),
    };
    Statement::new(
        "write the checkpoint",
        format!(
            "REPLACE /* tableshift */ INTO {} (id, number, saved_at, stage, server_uuid, \
             server_started, server_flushed, log_uuid, log_started, log_flushed, log_file, log_offset, \
             gtids, copied_all, copied_to, passed_over, rows_copied, old_table) VALUES (2, {}, NOW(), {}, {}, {}, {}, {}, {gtids}, \
             {copied}, {}, {}, {})",
            qualified(&names.schema, &names.checkpoint),
            progress.number,
            progress.stage.number(),
            seen(&progress.written),
            seen(&progress.log),
            text_literal(&progress.file),
            progress.offset,
            hex(&pack(&progress.passed_over)),
            progress.rows_copied,
            text_literal(&progress.old_table),
        ),
    )
}

/// Bytes as a literal.
fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("x'{digits}'")
}

/// Reads both rows: the columns of [`describe_migration`] and [`write_checkpoint`] in their order, bytes as
/// hexadecimal text.
#[must_use]
pub fn read_checkpoint(names: &Names) -> Statement {
    Statement::new(
        "read the checkpoint",
        format!(
            "SELECT /* tableshift */ id, alteration, original, ghost, statements, made_at, made_at_utc, \
             number, stage, server_uuid, server_started, server_flushed, log_uuid, log_started, \
             log_flushed, log_file, log_offset, gtids, copied_all, HEX(copied_to), HEX(passed_over), rows_copied, \
             old_table \
             FROM {} ORDER BY id",
            qualified(&names.schema, &names.checkpoint),
        ),
    )
}
