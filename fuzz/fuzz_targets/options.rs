//! The server's options in a TOML file.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quintet_server::config::Config;

/// In memory, and this process's own.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| format!("/dev/shm/quintet-fuzz-{}.toml", std::process::id()).into());

fuzz_target!(|text: &[u8]| {
    std::fs::write(&*FILE, text).expect("/dev/shm can be written");
    let arguments = ["quintet-server".into(), "--config".into(), FILE.clone()];
    let _ = Config::read(arguments);
});
