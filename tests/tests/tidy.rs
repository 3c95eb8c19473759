//! The workspace's invariants, read off its source tree: who may name what, how long a file may be, what it begins
//! with, and which crate may depend on which. Each failure names the file and the line.

use std::fs;
use std::path::{Path, PathBuf};

mod manifests;

/// The workspace's folders with code.
const CRATES: [&str; 9] = [
    "bench", "bundle", "client", "data", "onnx", "proto", "server", "tests", "trainer",
];
/// Lines that a file may have.
const CEILING: usize = 400;

struct Source {
    /// Below the workspace, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn is_generated(&self) -> bool {
        self.path.contains("/gen/")
    }

    /// Number and text of each line of code: no comments, and no words in quotation marks.
    fn code(&self) -> impl Iterator<Item = (usize, String)> {
        self.text.lines().enumerate().map(|(index, line)| {
            let code = line.trim_start();
            let code = if code.starts_with("//") { "" } else { code };
            let outside: Vec<&str> = code.split('"').step_by(2).collect();
            let code = outside.join("\"\"");
            (
                index + 1,
                code.split(" //").next().unwrap_or_default().to_owned(),
            )
        })
    }

    /// Number and text of each line as it stands, comments left out.
    fn lines_with_text(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line))
    }
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("the crate lies in the workspace")
        .to_owned()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source tree can be read") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// The Rust files of these crates.
fn sources(crates: &[&str]) -> Vec<Source> {
    let root = root();
    let mut files = Vec::new();
    for name in crates {
        collect(&root.join(name), &mut files);
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    assert!(!files.is_empty(), "no source in {}", root.display());
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).expect("source is text"),
        path: path
            .strip_prefix(&root)
            .expect("below the workspace")
            .display()
            .to_string(),
    };
    files.into_iter().map(read).collect()
}

/// Whether `code` names the crate: `word::`, `use word;` or `extern crate word`.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let inside =
            before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':');
        let after = &code[start + word.len()..];
        !inside && (after.starts_with("::") || (after.starts_with(';') && code.starts_with("use ")))
    })
}

#[track_caller]
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// Lines of code that hold a word of these in files of these crates that may not.
fn strays(
    crates: &[&str],
    words: &[&str],
    holds: impl Fn(&str, &str) -> bool,
    may: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources(crates) {
        if may(&source.path) {
            continue;
        }
        for (line, code) in source.code() {
            for word in words.iter().filter(|word| holds(&code, word)) {
                let path = &source.path;
                offences.push(format!("{path}:{line}: `{word}` does not belong here"));
            }
        }
    }
    offences
}

/// Invariant 1.
#[test]
fn the_wire_stays_in_one_folder() {
    let words = [
        "tonic",
        "prost",
        "prost_types",
        "tonic_health",
        "tonic_reflection",
        "tonic_types",
    ];
    let is_wire = |path: &str| path.starts_with("server/src/grpc/");
    assert_none(&strays(&["server"], &words, names, is_wire));
    // A task knows its own messages.
    assert_none(&strays(&["server"], &["quintet_proto"], names, |path| {
        is_wire(path) || path.starts_with("server/src/task/")
    }));
}

/// Invariant 1.
#[test]
fn the_transport_stays_in_one_folder_and_knows_no_model() {
    let is_transport = |path: &str| path.starts_with("server/src/transport/");
    assert_none(&strays(&["server"], &["h2"], names, |path| {
        is_transport(path) || path.starts_with("server/tests/")
    }));
    let words = [
        "crate::grpc",
        "crate::model",
        "crate::task",
        "crate::metrics",
        "crate::repository",
        "crate::call",
    ];
    assert_none(&strays(
        &["server"],
        &words,
        |code, word| code.contains(word),
        |path| !is_transport(path),
    ));
}

/// Invariant 1.
#[test]
fn the_runtime_stays_in_one_folder() {
    assert_none(&strays(&["server"], &["ort"], names, |path| {
        path.starts_with("server/src/runtime/")
    }));
}

/// Invariant 1.
#[test]
fn traces_stay_in_one_folder() {
    let words = ["opentelemetry", "opentelemetry_sdk", "opentelemetry_otlp"];
    assert_none(&strays(&["server"], &words, names, |path| {
        path.starts_with("server/src/trace/")
    }));
}

/// Invariant 1.
#[test]
fn only_the_trainer_knows_libtorch() {
    assert_none(&strays(&CRATES, &["tch"], names, |path| {
        path.starts_with("trainer/")
    }));
}

/// Invariant 2.
#[test]
fn the_batching_core_does_no_io_and_knows_no_task() {
    let words = [
        "std::fs",
        "std::net",
        "tokio::net",
        "tokio::fs",
        "crate::task",
        "crate::grpc",
        "crate::decode",
    ];
    assert_none(&strays(
        &["server"],
        &words,
        |code, word| code.contains(word),
        |path| !path.starts_with("server/src/batching/"),
    ));
}

/// Invariant 3.
#[test]
fn errors_of_requests_become_statuses_in_one_file() {
    let enums = sources(&["server"])
        .iter()
        .filter(|source| source.text.contains("enum ServeError"))
        .count();
    assert_eq!(enums, 1, "there is one enum of request errors");
    // A request that its caller broke off has no answer, so CANCELLED is in no table.
    let constructors = [
        "new",
        "with_",
        "invalid_",
        "unimpl",
        "internal",
        "unavail",
        "deadline_",
        "resource_",
    ]
    .map(|name| format!("Status::{name}"));
    let constructors = constructors.each_ref().map(String::as_str);
    assert_none(&strays(
        &["server"],
        &constructors,
        |code, word| code.contains(word),
        |path| path == "server/src/grpc/status.rs" || path.ends_with("/tests.rs"),
    ));
}

/// Invariant 4.
#[test]
fn metrics_are_named_in_one_file() {
    let mut offences = Vec::new();
    for source in sources(&["server"]) {
        if source.path == "server/src/metrics.rs" {
            continue;
        }
        for (line, text) in source.lines_with_text() {
            // The log filter's example and crate names are followed by `=` or `::`.
            let quoted = text.split('"').skip(1).step_by(2);
            if quoted
                .into_iter()
                .any(|words| words.starts_with("quintet_") && !words.contains('='))
            {
                offences.push(format!(
                    "{}:{line}: a metric is named outside of metrics.rs",
                    source.path
                ));
            }
        }
    }
    assert_none(&offences);
}

/// Invariant 5.
#[test]
fn the_environment_is_read_in_one_file() {
    let words = ["env::var", "env::set_var", "env::remove_var"];
    assert_none(&strays(
        &["server"],
        &words,
        |code, word| code.contains(word),
        |path| path == "server/src/environment.rs" || path.starts_with("server/tests/"),
    ));
}

#[test]
fn files_are_short() {
    let long = sources(&CRATES)
        .into_iter()
        .filter(|source| !source.is_generated())
        .map(|source| (source.text.lines().count(), source.path))
        .filter(|(lines, _)| *lines > CEILING);
    let offences: Vec<String> = long
        .map(|(lines, path)| format!("{path}:{CEILING}: goes on to line {lines}"))
        .collect();
    assert_none(&offences);
}

#[test]
fn files_say_what_they_are() {
    let silent = sources(&CRATES)
        .into_iter()
        .filter(|source| !source.is_generated() && !source.text.starts_with("//!"));
    let offences: Vec<String> = silent
        .map(|source| format!("{}:1: begins without //! module docs", source.path))
        .collect();
    assert_none(&offences);
}

#[test]
fn lines_are_clean() {
    let mut offences = Vec::new();
    for source in sources(&CRATES) {
        if source.is_generated() {
            continue;
        }
        let path = &source.path;
        for (index, line) in source.text.lines().enumerate() {
            if line.trim_end() != line || line.contains('\t') {
                offences.push(format!("{path}:{}: a tab, or space at the end", index + 1));
            }
        }
        if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
            offences.push(format!("{path}: must end with one line break"));
        }
        for (line, code) in source.code() {
            for word in ["todo!", "dbg!", "unimplemented!"] {
                if code.contains(word) {
                    offences.push(format!("{path}:{line}: {word}"));
                }
            }
        }
    }
    assert_none(&offences);
}
