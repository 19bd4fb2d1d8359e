//! `--schema`: the table as a file says that it is to be.

use super::Given;
use crate::config::{Config, Desired};
use crate::plan::alter::create::{Create, find};
use crate::plan::inspection::same_name;

impl Given<'_> {
    /// The definition in the file, read once.
    pub(super) fn wanted(&self) -> Option<&Create> {
        let read = || {
            let path = self.optional("schema")?;
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) => {
                    self.problem(format!("--schema: {path} can't be read: {error}"));
                    return None;
                }
            };
            let create = find(&text, self.optional("table").as_deref());
            create
                .map_err(|problem| self.problem(format!("--schema: {path}: {problem}")))
                .ok()
        };
        self.wanted.get_or_init(read).as_ref()
    }

    /// The configuration of `tableshift diff`.
    ///
    /// # Errors
    /// Every problem.
    pub(in crate::cli) fn comparison(&self) -> Result<Config, Vec<String>> {
        if !self.is_set("schema") {
            self.problem("--schema must be provided");
        }
        let create = self.wanted();
        let schema = create.and_then(|create| create.schema.clone());
        let table = create.map(|create| create.table.clone());
        self.schema_fits();
        let mut config = self.connection(&["schema"])?;
        if config.database.is_empty() {
            config.database = schema.unwrap_or_default();
        }
        if config.table.is_empty() {
            config.table = table.unwrap_or_default();
        }
        if config.database.is_empty() {
            return Err(vec![
                "--database must be provided, or the file must name the schema".into(),
            ]);
        }
        Ok(config)
    }

    /// What is wanted, for the configuration.
    pub(super) fn wanted_table(&self) -> Option<Desired> {
        Some(Desired {
            create: self.wanted()?.clone(),
            drop_columns: self.is_on("allow-drop-columns"),
        })
    }

    /// What `--schema` can't go with.
    pub(super) fn schema_fits(&self) {
        if !self.is_set("schema") {
            if self.is_on("allow-drop-columns") {
                self.problem("--allow-drop-columns requires --schema");
            }
            return;
        }
        for other in ["alter", "revert"] {
            if self.is_set(other) {
                self.problem(format!("--schema and --{other} are mutually exclusive"));
            }
        }
        let schema = self.wanted().and_then(|create| create.schema.clone());
        if let (Some(named), Some(given)) = (schema, self.optional("database"))
            && !same_name(&named, &given)
        {
            self.problem(format!(
                "--schema: the file speaks of schema `{named}`, the command line of `{given}`"
            ));
        }
    }
}
