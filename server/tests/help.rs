//! The help text, pinned.

use std::process::{Command, Stdio};

use expect_test::expect_file;

#[test]
fn quintet_server() {
    let output = Command::new(env!("CARGO_BIN_EXE_quintet-server"))
        .arg("--help")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("quintet-server runs");
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).expect("the help is UTF-8");
    // clap indents empty lines.
    let help: String = help
        .lines()
        .flat_map(|line| [line.trim_end(), "\n"])
        .collect();
    expect_file!["help.txt"].assert_eq(&help);
}
