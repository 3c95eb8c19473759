//! ONNX Runtime's own telemetry stays off: it opens its store in the cache folder before it looks up
//! the host that it reports to.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::variable;

/// A server program that is killed with the value.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_server_leaves_the_home_folder_alone() {
    let test = std::env::current_exe().expect("this program has a path");
    let deps = test.parent().expect("a program lies in a folder");
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let library = variable("ORT_DYLIB_PATH").expect("set in .cargo/config.toml");
    let home = tempfile::tempdir().expect("a temporary folder");
    let program = Command::new(deps.with_file_name("quintet-server"))
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .arg("--models-dir")
        .arg(models)
        .env_clear()
        .env("HOME", home.path())
        .env("ORT_DYLIB_PATH", library)
        .stderr(Stdio::piped())
        .spawn();
    let mut program = Program(program.expect("`make test` builds the server"));
    let log = program.0.stderr.take().expect("it is piped");
    let mut lines = BufReader::new(log).lines();
    let is_ready = |line: std::io::Result<String>| {
        let line = line.expect("the log is text");
        line.contains("\"message\":\"ready\"")
    };
    assert!(lines.any(is_ready), "the server ended before it was ready");
    drop(program);
    let traces = fs::read_dir(home.path()).expect("the folder can be read");
    assert_eq!(traces.count(), 0, "ONNX Runtime's telemetry has begun");
}
