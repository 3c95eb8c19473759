//! The trainer with the example's network: `train ring_net`, `evaluate BUNDLE_DIR`, as
//! `quintet-trainer` has them.

use std::process::ExitCode;

use quintet_example::network::RING_NET;

fn main() -> ExitCode {
    quintet_trainer::cli::main(&[&RING_NET])
}
