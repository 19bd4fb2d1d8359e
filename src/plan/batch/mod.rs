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

/// What is noted of a table before its migration begins, so that what became of it can be told without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// What it is: [`identity`].
    pub table: String,
    /// The server on which it was looked at.
    pub server: String,
    /// The last of its runs that the history knew.
    pub run: String,
}

impl Noted {
    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}/{}/{}", self.table, self.server, self.run)
    }

    /// Reads what is kept.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/').map(str::to_owned);
        Some(Self {
            table: parts.next()?,
            server: parts.next()?,
            run: parts.next()?,
        })
    }

    /// Nobody has altered the table in between, or swapped another one in.
    #[must_use]
    pub fn same_table(&self, other: &Self) -> bool {
        (&self.table, &self.server) == (&other.table, &other.server)
    }
}

/// What a table is: when it was made or altered last, and its definition without the next AUTO_INCREMENT, which
/// applications change. The time alone tells a second run of an ALTER after which the definition is the
/// same; CREATE_TIME is that of the last ALTER, an instant one as well, and of a swapped table the time at which
/// the other was made (tried on 9.7.4; `tests/batch.rs`).
#[must_use]
pub fn identity(definition: &str, made: &str) -> String {
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
    let text = format!("{body}{options}\0{made}");
    format!("{:016x}", super::names::digest(&text))
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
        let identity = |definition: &str| identity(definition, "1700000000");
        assert_eq!(identity(one), identity(&next));
        assert_ne!(identity(one), identity(&other));
        assert_ne!(identity(one), super::identity(one, "1700000001"));
        let comment = one.replace("\n)", " COMMENT ' AUTO_INCREMENT=1'\n)");
        assert_ne!(identity(&comment), identity(&comment.replace("=1'", "=2'")));
    }

    #[test]
    fn what_is_noted_is_read_as_it_was_written() {
        let noted = Noted {
            table: "0a".into(),
            server: "5f-1".into(),
            run: String::new(),
        };
        assert_eq!(Noted::read(&noted.text()), Some(noted.clone()));
        assert!(noted.same_table(&Noted {
            run: "r".into(),
            ..noted.clone()
        }));
        assert!(!noted.same_table(&Noted {
            server: "5f-2".into(),
            ..noted.clone()
        }));
        assert_eq!(Noted::read("0a"), None);
    }
}
