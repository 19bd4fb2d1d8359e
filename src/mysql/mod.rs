//! The only module that names the driver: connections, catalogue, binary log.

pub mod address;
pub mod binlog;
pub mod classify;
pub mod inspect;
pub mod keys;
pub mod place;
pub mod session;
pub mod tls;
pub mod triggers;
