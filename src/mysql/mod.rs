//! The only module that names the driver: connections, catalogue, binary log.

pub mod address;
pub mod binlog;
pub mod classify;
mod gtids;
mod helper_rows;
pub mod inspect;
pub mod keys;
pub mod place;
mod rows;
mod saved;
pub mod session;
pub mod surroundings;
pub mod tls;
pub mod triggers;
