//! tableshift: online schema changes for MySQL.
//!
//! The two straight lines through the code:
//!
//! - **A row copied**: [`core::chunk`] picks a range → `Command::Copy` → [`engine::workers`] locks and
//!   copies it with a statement of [`sql::copy`] → `Event::Copied` → rows passed over become dirty.
//! - **A row changed**: [`mysql::binlog`] reads an event, [`mysql::keys`] takes its key →
//!   `Event::Changed` → [`core::dirty`] → `Command::Refresh` → [`engine::workers`] locks, looks,
//!   replaces or deletes with statements of [`sql::refresh`] → `Event::Refreshed` → clean, or dirty
//!   again.
//!
//! Decisions are made in `plan`, `sql` and `core`, which do no I/O and read no clock.

#![deny(unreachable_pub, clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod cli;
pub mod config;
pub mod control;
pub mod core;
pub mod engine;
pub mod error;
#[cfg(feature = "faults")]
pub mod faults;
pub mod limits;
pub mod metrics;
pub mod mysql;
pub mod plan;
pub mod report;
#[cfg(test)]
mod sim;
pub mod sql;
