//! What a plan costs, read from `EXPLAIN FORMAT=JSON` in its version 1, and when one is worse than another.
//!
//! Estimates are rough: the same table analyzed twice can differ by half. So a plan is worse only by a factor, and only
//! beyond a floor under which nobody would notice.

use super::json::{Json, read};

/// What of a plan is compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Rows that are read, as often as they are.
    examined: f64,
    /// The server's cost, which it gives for most statements.
    cost: Option<f64>,
    /// Sorts and temporary tables.
    sorts: u32,
    /// How each table is read, in order.
    accesses: Vec<Access>,
    /// A part of it was found to have no row before there was anything to plan.
    pub no_row: bool,
}

/// How a table is read.
#[derive(Debug, Clone, PartialEq)]
struct Access {
    table: String,
    kind: String,
    index: Option<String>,
}

impl Access {
    fn words(&self) -> String {
        let by = |what: &str, index: &str| format!("{what} `{index}`");
        match (self.kind.as_str(), &self.index) {
            ("ALL", _) => "a full table scan".into(),
            ("index", Some(index)) => by("a full scan of index", index),
            ("range", Some(index)) => by("a range of index", index),
            (_, Some(index)) => by("a lookup in index", index),
            (kind, None) => format!("access {kind}"),
        }
    }
}

/// Times as many rows, or as much cost, as are worse. Statistics are sampled (20 pages of an index by default), and
/// estimates of like tables seldom differ by more than two.
pub const WORSE_FACTOR: f64 = 3.0;
/// Rows below which a plan isn't worse: a thousand rows are read in a millisecond or so.
pub const ROWS_FLOOR: f64 = 1_000.0;
/// Cost below which a plan isn't worse: some 1 000 rows looked up one by one.
pub const COST_FLOOR: f64 = 350.0;

/// Reads a plan.
#[must_use]
pub fn figures(explained: &str) -> Option<Figures> {
    let json = read(explained)?;
    let block = json.get("query_block")?;
    let mut figures = Figures::default();
    figures.walk(block, 1.0);
    let cost = block
        .get("cost_info")
        .and_then(|info| info.get("query_cost"));
    figures.cost = cost.and_then(Json::number);
    Some(figures)
}

/// Whether a message in the place of a plan says that these values have no row. With others there would be a plan;
/// `Select tables optimized away` and `No tables used` are plans.
fn finds_no_row(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let begins = [
        "no matching",
        "impossible",
        "unique row not found",
        "const row not found",
        "zero limit",
        "not optimized",
    ];
    begins.iter().any(|begin| message.starts_with(begin))
}

impl Figures {
    /// Reads what is in an object, which is done `times` times; returns the rows that come out of it.
    fn walk(&mut self, json: &Json, times: f64) -> f64 {
        let Json::Object(members) = json else {
            return times;
        };
        let mut rows = times;
        for (name, value) in members {
            match (name.as_str(), value) {
                ("message", Json::Text(message)) => self.no_row |= finds_no_row(message),
                ("using_filesort" | "using_temporary_table", Json::Yes) => self.sorts += 1,
                ("table", table) => rows = self.table(table, times, times),
                ("nested_loop", Json::List(steps)) => {
                    let mut before = times;
                    for step in steps {
                        match step.get("table") {
                            Some(table) => before = self.table(table, before, times),
                            None => before = self.walk(step, before),
                        }
                    }
                    rows = before;
                }
                (_, Json::Object(_)) => rows = rows.max(self.walk(value, times)),
                (_, Json::List(_) | Json::No | Json::Yes | Json::Number(_) | Json::Text(_)) => {}
            }
        }
        // Subqueries come last: those that depend on a row are done for each.
        for (_, value) in members {
            self.subqueries(value, times, rows);
        }
        rows
    }

    fn subqueries(&mut self, json: &Json, times: f64, rows: f64) {
        let Json::List(parts) = json else {
            return;
        };
        for part in parts
            .iter()
            .filter(|part| part.get("query_block").is_some())
        {
            let dependent = part.get("dependent") == Some(&Json::Yes);
            self.walk(part, if dependent { rows } else { times });
        }
    }

    /// A table that is read `before` times in a block that is done `times` times.
    fn table(&mut self, table: &Json, before: f64, times: f64) -> f64 {
        let is = |name: &str| table.get(name) == Some(&Json::Yes);
        let number = |name: &str| table.get(name).and_then(Json::number);
        let text = |name: &str| table.get(name).and_then(Json::text).map(str::to_owned);
        // Where an INSERT writes to; nothing is read there.
        if is("insert") || is("replace") {
            return times;
        }
        self.no_row |= text("message").is_some_and(|message| finds_no_row(&message));
        let mut produced = before;
        if let Some(scanned) = number("rows_examined_per_scan") {
            // With a join buffer the table is read once for many rows.
            let once = table.get("using_join_buffer").is_some();
            self.examined += scanned * if once { times } else { before.max(1.0) };
            let joined = number("rows_produced_per_join").map(|rows| rows * times);
            produced = joined.unwrap_or(scanned * before);
        }
        if let (Some(name), Some(kind)) = (text("table_name"), text("access_type")) {
            self.accesses.push(Access {
                table: name,
                kind,
                index: text("key"),
            });
        }
        let inside = match table {
            Json::Object(members) => members.as_slice(),
            Json::No | Json::Yes | Json::Number(_) | Json::Text(_) | Json::List(_) => &[],
        };
        for (_, value) in inside {
            match value {
                Json::Object(_) => drop(self.walk(value, times)),
                Json::List(_) => self.subqueries(value, times, produced),
                Json::No | Json::Yes | Json::Number(_) | Json::Text(_) => {}
            }
        }
        produced
    }

    /// Why this plan, of the ghost, is worse than that of the original; `growth` is how many times more rows the
    /// statistics of the ghost count.
    #[must_use]
    pub fn worse_than(&self, original: &Self, growth: f64) -> Option<String> {
        let growth = growth.max(1.0);
        let beyond = |ghost: f64, original: f64, floor: f64| {
            ghost >= floor && ghost > WORSE_FACTOR * growth * original
        };
        if beyond(self.examined, original.examined, ROWS_FLOOR) {
            let (now, then) = (self.examined, original.examined);
            return Some(format!(
                "it would read {now:.0} rows instead of {then:.0}{}",
                self.changed(original)
            ));
        }
        if let (Some(ghost), Some(cost)) = (self.cost, original.cost)
            && beyond(ghost, cost, COST_FLOOR)
        {
            return Some(format!(
                "it would cost {ghost:.0} instead of {cost:.0} by the optimizer's measure{}",
                self.changed(original)
            ));
        }
        if self.sorts > original.sorts && self.examined >= ROWS_FLOOR {
            return Some(format!(
                "it would sort, or fill a temporary table with, what it reads: {:.0} rows{}",
                self.examined,
                self.changed(original)
            ));
        }
        None
    }

    /// The first table that is read in another way.
    fn changed(&self, original: &Self) -> String {
        let known = |access: &&Access| !original.accesses.contains(access);
        let Some(now) = self.accesses.iter().find(known) else {
            return String::new();
        };
        let mut before = original.accesses.iter();
        let before =
            before.find(|access| access.table == now.table && !self.accesses.contains(access));
        let instead = before.map(|access| format!(" instead of {}", access.words()));
        format!(
            " (`{}`: {}{})",
            now.table,
            now.words(),
            instead.unwrap_or_default()
        )
    }
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod tests;
