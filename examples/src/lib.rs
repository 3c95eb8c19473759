//! Points of the plane and the ring that each lies in: a model that Quintet does not know, trained
//! and served by it.
//!
//! Nothing here needs a change of Quintet's own crates. A pre-processing ([`scaling`]), a data set
//! ([`rings`]), a network ([`network`]) and a task ([`locate`]) are a file each. Each is named in one
//! place: the data set and the pre-processing by the network, the network in the list that
//! [`quintet_trainer::cli::run`] takes, the task in the list that
//! [`quintet_server::config::Config::build_with`] takes.

pub mod locate;
pub mod network;
pub mod rings;
pub mod scaling;
