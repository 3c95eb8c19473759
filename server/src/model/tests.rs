//! What is refused before it is run.

use clap::{Args, FromArgMatches};
use quintet_bundle::{MANIFEST_FILE, Products};

use super::*;
use crate::environment::ort_dylib_path;

fn loader(products: Products) -> Loader {
    let library = ort_dylib_path().unwrap();
    Loader {
        runtime: Runtime::load(&library, Some(Device::Cpu), 1).unwrap(),
        tasks: Tasks::new(defaults(), []),
        metrics: Metrics::new("none"),
        backlog: Arc::new(Backlog::of(1)),
        products,
    }
}

/// Options as they are without flags.
fn defaults<T: Args + FromArgMatches>() -> T {
    let command = T::augment_args(clap::Command::new("none"));
    T::from_arg_matches(&command.get_matches_from(["none"])).unwrap()
}

/// A committed model whose manifest says that it computes in int8.
fn quantised(folder: &Path) -> std::path::PathBuf {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/mlp/1");
    let bundle = folder.join("mlp/1");
    std::fs::create_dir_all(&bundle).unwrap();
    for file in std::fs::read_dir(committed).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), bundle.join(file.file_name())).unwrap();
    }
    let manifest = bundle.join(MANIFEST_FILE);
    let text = std::fs::read_to_string(&manifest).unwrap();
    let line = "task = \"image_classification\"\n";
    let marked = text.replace(line, &format!("{line}quantization = \"int8\"\n"));
    assert_ne!(marked, text);
    std::fs::write(&manifest, marked).unwrap();
    bundle
}

#[test]
fn int8_is_refused_where_sums_saturate() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = quantised(folder.path());
    let load = |products| loader(products).load(&bundle, |_| defaults());
    let error = load(Products::Saturating).unwrap_err();
    assert!(matches!(error, LoadError::Saturation(_)), "{error}");
    let model = load(Products::Exact).unwrap();
    assert_eq!(model.name.as_ref(), "mlp");
}
