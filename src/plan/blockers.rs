//! Who is in the cut-over's way, how an operator is told, and who may be ended. Pure.

use crate::limits;

/// What a session holds that LOCK TABLES or RENAME has to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// A metadata lock of a table, as every transaction that uses it has.
    Table,
    /// The backup lock.
    Backup,
    /// The global read lock.
    ReadLock,
    /// The same metadata lock, but nobody can give it up but XA COMMIT and XA ROLLBACK.
    Prepared,
}

/// A session in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// What it holds.
    pub obstacle: Obstacle,
    /// Its connection; 0 for a prepared XA transaction without one.
    pub id: u64,
    /// Its account's user.
    pub user: String,
    /// Where it comes from.
    pub host: String,
    /// What program it says it is; may be empty.
    pub program: String,
    /// Age of its transaction in seconds, or of its statement.
    pub seconds: u64,
    /// First word of what it runs: the rest could show values. `None` when it runs nothing.
    pub statement: Option<String>,
    /// It is an ordinary client: no replication applier, no event, no thread of the server's own, no
    /// run of this tool.
    pub client: bool,
    /// It holds locks that somebody asked for by name: LOCK TABLES, GET_LOCK, HANDLER, a backup's, or
    /// those of DDL.
    pub explicit: bool,
    /// The state of its XA transaction, `NOTXA` if it is none; `None` when the server doesn't show
    /// transactions.
    pub xa: Option<String>,
    /// Rows its transaction has changed, as far as they were asked for.
    pub rows_changed: Option<u64>,
}

/// Which blockers may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KillPolicy {
    /// None.
    #[default]
    Nobody,
    /// Transactions that do nothing.
    Idle,
    /// Running queries as well.
    Queries,
    /// Every transaction.
    All,
}

/// What becomes of a blocker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays, for this reason.
    Stays(&'static str),
    /// Its statement is ended.
    EndQuery,
    /// Its connection is ended, and its transaction is rolled back.
    End,
}

impl Blocker {
    /// In whose way it is, for a person; names kinds, never values.
    #[must_use]
    pub fn sentence(&self, table: &str) -> String {
        format!("cut-over waits: {}", self.clause(table))
    }

    /// What it has, likewise.
    #[must_use]
    pub fn clause(&self, table: &str) -> String {
        let who = self.who();
        match self.obstacle {
            Obstacle::Prepared => format!(
                "a prepared XA transaction holds `{table}` (see XA RECOVER; only XA COMMIT or XA \
                 ROLLBACK ends it)"
            ),
            Obstacle::Backup => {
                format!("{who} holds the backup lock (LOCK INSTANCE FOR BACKUP)")
            }
            Obstacle::ReadLock => {
                format!("{who} holds the global read lock (FLUSH TABLES WITH READ LOCK)")
            }
            Obstacle::Table => format!(
                "{who} has used `{table}` for {} s: {}",
                self.seconds,
                self.doing()
            ),
        }
    }

    /// Which connection it is.
    #[must_use]
    pub fn who(&self) -> String {
        let program = match self.program.as_str() {
            "" => String::new(),
            program => format!(", {program}"),
        };
        format!(
            "connection {} ({}@{}{program})",
            self.id, self.user, self.host
        )
    }

    /// What it does.
    #[must_use]
    pub fn doing(&self) -> String {
        let held = if self.explicit && self.obstacle == Obstacle::Table {
            ", with explicit locks"
        } else {
            ""
        };
        match &self.statement {
            Some(word) => format!("{word} …{held}"),
            None => format!("idle in a transaction{held}"),
        }
    }

    /// Whether it may be ended. `asked` tells that its statement has been ended already, and it is
    /// still in the way.
    #[must_use]
    pub fn verdict(&self, policy: KillPolicy, asked: bool) -> Verdict {
        match self.obstacle {
            Obstacle::Prepared => return Verdict::Stays("nobody can end a prepared transaction"),
            Obstacle::Backup | Obstacle::ReadLock => {
                return Verdict::Stays("somebody asked for its lock by name");
            }
            Obstacle::Table => {}
        }
        if !self.client {
            return Verdict::Stays("it is no ordinary client");
        }
        if self.explicit {
            return Verdict::Stays("somebody asked for its locks by name");
        }
        match self.xa.as_deref() {
            None => return Verdict::Stays("the server doesn't show its transaction"),
            Some("PREPARED") => return Verdict::Stays("nobody can end a prepared transaction"),
            Some(_) => {}
        }
        match self.rows_changed {
            None => return Verdict::Stays("the server doesn't show what it has changed"),
            Some(rows) if rows > limits::KILL_ROWS_MAX => {
                return Verdict::Stays("its rollback would take longer than waiting for it");
            }
            Some(_) => {}
        }
        let query = self.statement.as_deref() == Some("SELECT");
        match (policy, &self.statement) {
            (KillPolicy::Nobody, _) => Verdict::Stays("nobody is to be ended"),
            (_, None) => Verdict::End,
            (KillPolicy::Idle, Some(_)) => Verdict::Stays("only idle ones are to be ended"),
            (KillPolicy::Queries | KillPolicy::All, Some(_)) if query && !asked => {
                Verdict::EndQuery
            }
            (KillPolicy::Queries, Some(_)) if !query => {
                Verdict::Stays("only queries are to be ended")
            }
            (KillPolicy::Queries | KillPolicy::All, Some(_)) => Verdict::End,
        }
    }
}

/// The first word of a statement: enough to know what it is, without its values.
#[must_use]
pub fn kind_of_statement(text: &str) -> Option<String> {
    let word: String = text
        .trim_start_matches(|c: char| c.is_whitespace() || c == '(')
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .take(limits::STATEMENT_KIND_CHARS_MAX)
        .collect();
    match (word.is_empty(), text.trim().is_empty()) {
        (false, _) => Some(word.to_ascii_uppercase()),
        (true, true) => None,
        // A comment comes first; what is in it is nobody's business.
        (true, false) => Some("a statement".into()),
    }
}

/// How long attempts have been in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vain {
    since_ms: Option<u64>,
    last_ms: u64,
    rounds: u32,
}

impl Vain {
    /// An attempt was in vain. After a time without any that is far longer than the back-off (it was
    /// postponed) the count begins anew.
    pub fn again(&mut self, now_ms: u64, pause_max: std::time::Duration) {
        let gap = pause_max.saturating_add(limits::VAIN_GAP_MAX);
        if u128::from(now_ms.saturating_sub(self.last_ms)) > gap.as_millis() {
            self.since_ms = None;
        }
        self.since_ms.get_or_insert(now_ms);
        self.last_ms = now_ms;
    }

    /// Blockers are to be ended now: attempts have been in vain for so long, and it hasn't been tried too
    /// often. Counts the round.
    pub fn round(&mut self, now_ms: u64, after_ms: u64) -> bool {
        let due = self
            .since_ms
            .is_some_and(|since| now_ms.saturating_sub(since) >= after_ms);
        if !due || self.rounds >= limits::KILL_ROUNDS_MAX {
            return false;
        }
        self.rounds += 1;
        true
    }

    /// That was the last round.
    #[must_use]
    pub fn was_last(&self) -> bool {
        self.rounds >= limits::KILL_ROUNDS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: std::time::Duration = std::time::Duration::from_secs(64);

    fn idle() -> Blocker {
        Blocker {
            obstacle: Obstacle::Table,
            id: 7,
            user: "app".into(),
            host: "10.0.0.7".into(),
            program: "mysql".into(),
            seconds: 12,
            statement: None,
            client: true,
            explicit: false,
            xa: Some("NOTXA".into()),
            rows_changed: Some(0),
        }
    }

    fn running(word: &str) -> Blocker {
        Blocker {
            statement: Some(word.into()),
            ..idle()
        }
    }

    #[test]
    fn messages_name_the_kind_of_statement_only() {
        assert_eq!(
            kind_of_statement("select * from t where a = 'secret'").as_deref(),
            Some("SELECT")
        );
        assert_eq!(
            kind_of_statement("/* secret */ SELECT 1").as_deref(),
            Some("a statement")
        );
        assert_eq!(kind_of_statement("  ").as_deref(), None);
        assert_eq!(
            idle().sentence("t"),
            "cut-over waits: connection 7 (app@10.0.0.7, mysql) has used `t` for 12 s: idle in a \
             transaction"
        );
        assert!(running("UPDATE").sentence("t").ends_with("12 s: UPDATE …"));
    }

    #[test]
    fn each_policy_ends_what_it_says() {
        use KillPolicy::{All, Idle, Nobody, Queries};
        use Verdict::{End, EndQuery};
        for (blocker, policy, asked, expected) in [
            (idle(), Idle, false, Some(End)),
            (idle(), Queries, false, Some(End)),
            (running("SELECT"), Idle, false, None),
            (running("SELECT"), Queries, false, Some(EndQuery)),
            (running("SELECT"), Queries, true, Some(End)),
            (running("UPDATE"), Queries, true, None),
            (running("SELECT"), All, false, Some(EndQuery)),
            (running("UPDATE"), All, false, Some(End)),
            (idle(), Nobody, false, None),
        ] {
            let verdict = blocker.verdict(policy, asked);
            match expected {
                Some(expected) => assert_eq!(verdict, expected, "{blocker:?} {policy:?}"),
                None => assert!(
                    matches!(verdict, Verdict::Stays(_)),
                    "{blocker:?} {policy:?}"
                ),
            }
        }
    }

    #[test]
    fn nobody_else_is_ever_ended() {
        let spared = [
            Blocker {
                explicit: true,
                ..idle()
            },
            Blocker {
                client: false,
                ..idle()
            },
            Blocker { xa: None, ..idle() },
            Blocker {
                xa: Some("PREPARED".into()),
                ..idle()
            },
            Blocker {
                rows_changed: None,
                ..idle()
            },
            Blocker {
                rows_changed: Some(limits::KILL_ROWS_MAX + 1),
                ..idle()
            },
            Blocker {
                obstacle: Obstacle::Backup,
                ..idle()
            },
            Blocker {
                obstacle: Obstacle::ReadLock,
                ..idle()
            },
            Blocker {
                obstacle: Obstacle::Prepared,
                ..idle()
            },
        ];
        for blocker in spared {
            let verdict = blocker.verdict(KillPolicy::All, true);
            assert!(matches!(verdict, Verdict::Stays(_)), "{blocker:?}");
        }
    }

    #[test]
    fn rounds_begin_late_and_have_an_end() {
        let mut vain = Vain::default();
        assert!(!vain.round(99_000, 5_000), "no attempt yet");
        vain.again(100_000, PAUSE);
        assert!(!vain.round(104_999, 5_000));
        vain.again(104_000, PAUSE);
        for _ in 0..limits::KILL_ROUNDS_MAX {
            assert!(!vain.was_last() && vain.round(105_000, 5_000));
        }
        assert!(vain.was_last() && !vain.round(105_000, 5_000));
        let mut vain = Vain::default();
        vain.again(0, PAUSE);
        vain.again(10_000_000, PAUSE);
        assert!(
            !vain.round(10_000_001, 5_000),
            "it was postponed in between"
        );
    }
}
