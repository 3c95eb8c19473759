//! Runs the commands of the README's `console` blocks against the committed models.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use quintet_e2e::server;
use tempfile::TempDir;

/// Matches anything within one line of the expected output.
const ANYTHING: &str = "[..]";

#[tokio::test]
async fn the_run_through_prints_what_the_readme_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README");
    let server = server().models_dir(root.join("models")).start().await;
    let blocks: Vec<_> = readme.split("```console\n").skip(1).collect();
    assert!(
        blocks.len() >= 3,
        "the README has {} console blocks",
        blocks.len()
    );
    let folder = lookalike(root);
    for block in blocks {
        let block = block
            .split("```")
            .next()
            .expect("split gives one piece at least");
        let (command, expected) = block.split_once('\n').expect("a command and its output");
        let arguments = command
            .strip_prefix("$ quintet ")
            .expect("a block runs `$ quintet ...`");
        let (arguments, url) = (arguments.to_owned(), server.url());
        let folder = folder.path().to_owned();
        let printed = tokio::task::spawn_blocking(move || run(&folder, &arguments, &url))
            .await
            .expect("the command runs");
        assert!(
            matches(expected, &printed),
            "{command}\nprinted\n{printed}\nnot\n{expected}"
        );
    }
    server.shutdown();
    assert_eq!(server.stopped().await, 0);
}

/// A temporary folder with links to everything in `root`, for what a command writes.
fn lookalike(root: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in std::fs::read_dir(root).expect("the workspace can be read") {
        let entry = entry.expect("the workspace can be read");
        symlink(entry.path(), folder.path().join(entry.file_name())).expect("a link");
    }
    folder
}

/// The tool's output, both streams.
fn run(folder: &Path, arguments: &str, url: &str) -> String {
    let tool = tool();
    let output = Command::new(&tool)
        .args(words(arguments))
        .env("QUINTET_SERVER", url)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; `make test` builds it", tool.display()));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The words of a command, split as by a shell: at blanks outside of double quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The tool, which the same build puts beside the tests.
fn tool() -> PathBuf {
    let test = std::env::current_exe().expect("this program has a path");
    let deps = test.parent().expect("a program lies in a folder");
    deps.with_file_name("quintet")
}

fn matches(expected: &str, printed: &str) -> bool {
    let (expected, printed): (Vec<_>, Vec<_>) = (
        expected.trim_end().lines().collect(),
        printed.trim_end().lines().collect(),
    );
    expected.len() == printed.len()
        && expected
            .iter()
            .zip(printed)
            .all(|(expected, printed)| line_matches(expected, printed))
}

fn line_matches(expected: &str, printed: &str) -> bool {
    let mut rest = printed;
    let mut pieces = expected.trim_end().split(ANYTHING).peekable();
    let first = pieces.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else {
        return false;
    };
    rest = after;
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty()
}

#[test]
fn expected_lines() {
    for (expected, printed, same) in [
        ("a b", "a b", true),
        ("a b", "a b c", false),
        ("a [..]", "a b c", true),
        ("a [..] c", "a b c", true),
        ("a [..] c", "a b d", false),
        ("[..]", "", true),
    ] {
        assert_eq!(
            line_matches(expected, printed),
            same,
            "{expected} / {printed}"
        );
    }
}
