//! The help texts, pinned.

use std::process::{Command, Stdio};

use expect_test::{Expect, expect};

fn check(args: &[&str], expected: Expect) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quintet"));
    command.env_remove("QUINTET_SERVER").env_remove("COLUMNS").stdin(Stdio::null());
    let output = command.args(args).arg("--help").output().expect("quintet runs");
    assert!(output.status.success());
    expected.assert_eq(&String::from_utf8(output.stdout).expect("the help is UTF-8"));
}

#[test]
fn quintet() {
    check(&[], expect![[""]]);
}

#[test]
fn classify() {
    check(&["classify"], expect![[""]]);
}

#[test]
fn models() {
    check(&["models"], expect![[""]]);
}

#[test]
fn health() {
    check(&["health"], expect![[""]]);
}

#[test]
fn evaluate() {
    check(&["evaluate"], expect![[""]]);
}
