//! What the crates' manifests may name.

use std::collections::BTreeSet;
use std::fs;

use super::{CRATES, root};

/// Invariant 6: a test makes the generated code again, so the generators are dependencies of tests
/// alone. The trainer's build script finds libtorch.
#[test]
fn nothing_is_generated_by_a_build() {
    for name in CRATES {
        let script = root().join(name).join("build.rs").exists();
        assert_eq!(script, name == "trainer", "{name}/build.rs");
        let manifest = manifest(name);
        for table in ["dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(table).and_then(toml::Value::as_table) else {
                continue;
            };
            for generator in ["protox", "prost-build", "tonic-prost-build", "tonic-build"] {
                assert!(
                    !table.contains_key(generator),
                    "{name}/Cargo.toml: {generator}"
                );
            }
        }
    }
}

/// The names of ours that a table of a manifest holds, those of optional dependencies left out.
fn ours(manifest: &toml::Table, table: &str) -> BTreeSet<String> {
    let Some(table) = manifest.get(table).and_then(toml::Value::as_table) else {
        return BTreeSet::new();
    };
    let optional =
        |value: &toml::Value| value.get("optional").and_then(toml::Value::as_bool) == Some(true);
    let wanted = table.iter().filter(|(_, value)| !optional(value));
    wanted
        .filter_map(|(name, _)| name.strip_prefix("quintet-").map(str::to_owned))
        .collect()
}

fn manifest(name: &str) -> toml::Table {
    let path = root().join(name).join("Cargo.toml");
    let text = fs::read_to_string(path).expect("each crate has a manifest");
    text.parse().expect("cargo has read it too")
}

/// Invariant 7.
#[test]
fn crates_depend_only_on_those_below_them() {
    for (name, allowed) in [
        ("proto", &[][..]),
        ("onnx", &[]),
        ("bundle", &[]),
        ("data", &[]),
        ("server", &["proto", "onnx", "bundle"]),
        ("trainer", &["bundle", "onnx", "data"]),
        ("client", &["proto"]),
        ("bench", &["proto", "bundle", "data", "server", "e2e"]),
        ("tests", &["proto", "onnx", "bundle", "server", "client"]),
    ] {
        let found = ours(&manifest(name), "dependencies");
        for dependency in &found {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name}/Cargo.toml: {dependency}"
            );
        }
    }
    // The data sets are for the command line tool's `evaluate` alone.
    let client = manifest("client");
    let data = &client["dependencies"]["quintet-data"];
    assert_eq!(
        data.get("optional").and_then(toml::Value::as_bool),
        Some(true)
    );
}

/// Invariant 7.
#[test]
fn crates_stay_free_of_what_they_must_not_know() {
    for (name, banned) in [
        ("onnx", &["tch", "ort"][..]),
        ("bundle", &["tch", "ort", "tokio", "tonic"]),
        ("server", &["tch"]),
        ("trainer", &["tonic"]),
        ("data", &["tch", "ort", "tokio", "tonic"]),
        ("client", &["ort", "tch"]),
        ("bench", &["tch"]),
        ("tests", &["tch"]),
    ] {
        let manifest = manifest(name);
        let dependencies = manifest["dependencies"].as_table().expect("a table");
        for word in banned {
            assert!(
                !dependencies.contains_key(*word),
                "{name}/Cargo.toml: {word}"
            );
        }
    }
}

/// Each crate comes from the registry, with its hash in Cargo.lock.
#[test]
fn dependencies_are_pinned_by_hash() {
    let text = fs::read_to_string(root().join("Cargo.lock")).expect("it is committed");
    let lock: toml::Table = text.parse().expect("cargo has read it too");
    let packages = lock["package"].as_array().expect("a list");
    for package in packages {
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        match package.get("source").and_then(toml::Value::as_str) {
            Some(source) => assert!(
                source == registry && package.get("checksum").is_some(),
                "{package}"
            ),
            // Of this workspace.
            None => assert!(
                package["name"]
                    .as_str()
                    .is_some_and(|it| it.starts_with("quintet"))
            ),
        }
    }
}
