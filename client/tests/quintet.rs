//! Runs the built `quintet`.

use std::{path::Path, process::Stdio};

use expect_test::Expect;
use tempfile::TempDir;
use tokio::process::Command;

/// What a finished `quintet` left.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn quintet(server: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quintet"));
    command
        .env_remove("QUINTET_SERVER")
        .env_remove("QUINTET_TOKEN")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command.args(args).args(["--server", server]);
    command
}

pub(crate) async fn run(server: &str, args: &[&str]) -> Finished {
    let output = quintet(server, args).output().await.expect("quintet runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    Finished {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A folder with image files of these names; each file's content is its name.
pub(crate) fn images(names: &[&str]) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let paths = names.iter().map(|name| {
        let path = folder.path().join(name);
        std::fs::write(&path, name).expect("the folder can be written");
        path.display().to_string()
    });
    let paths = paths.collect();
    (folder, paths)
}

impl Finished {
    /// Checks all of it; the folder's own path reads `DIR`, the server's `SERVER`, and a call's id
    /// `ID`.
    #[track_caller]
    #[expect(
        clippy::too_many_arguments,
        reason = "each call says all that it expects"
    )]
    pub(crate) fn check(
        &self,
        code: i32,
        folder: &Path,
        server: &str,
        stdout: &Expect,
        stderr: &Expect,
    ) {
        let folder = folder.display().to_string();
        let neutral = |text: &str| {
            let text = text.replace(&folder, "DIR").replace(server, "SERVER");
            let lines = text.split_inclusive('\n');
            let lines = lines.map(|line| match line.split_once("request id: ") {
                Some((start, _)) => format!("{start}request id: ID\n"),
                None => line.to_owned(),
            });
            lines.collect::<String>()
        };
        stderr.assert_eq(&neutral(&self.stderr));
        stdout.assert_eq(&neutral(&self.stdout));
        assert_eq!(self.code, Some(code));
    }
}
