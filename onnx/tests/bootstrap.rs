//! Regenerates `src/gen/onnx.rs` from `proto/onnx.proto3` and fails on a difference.
//!
//! `UPDATE_EXPECT=1 cargo test -p quintet-onnx --test bootstrap` writes the new text.

use std::fs;
use std::path::Path;

#[test]
fn generated_code_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checked_in = root.join("src/gen/onnx.rs");
    let proto = root.join("proto");

    let descriptors = protox::compile([proto.join("onnx.proto3")], [&proto]).unwrap();
    let out_dir = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .out_dir(out_dir.path())
        .compile_fds(descriptors)
        .unwrap();
    let generated = fs::read_to_string(out_dir.path().join("onnx.rs")).unwrap();

    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&checked_in, &generated).unwrap();
        return;
    }
    let present = fs::read_to_string(&checked_in).unwrap();
    assert!(
        present == generated,
        "src/gen/onnx.rs differs from proto/onnx.proto3; run the test with UPDATE_EXPECT=1 and commit"
    );
}
