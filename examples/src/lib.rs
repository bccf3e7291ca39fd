//! The parts of the sample shop: an identity provider, a gateway, and three services.
//!
//! The programs in `src/bin` run them in one process (`shop`), or each in a process of its own.

pub mod access_log;
pub mod behind_gateway;
pub mod gateway;
pub mod http_adapter;
pub mod identity_provider;
pub mod in_process;
pub mod inventory_service;
pub mod operations;
pub mod order_service;
pub mod proto;
pub mod startup;
pub mod user_service;
