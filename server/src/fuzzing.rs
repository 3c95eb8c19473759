//! Entrances for the fuzz targets in `fuzz/`, which `fuzz/run.py` alone compiles.

pub use crate::grpc::fuzzing::message;
pub use crate::tokens::fuzzing::tokens;
pub use crate::transport::fuzzing::connection;
