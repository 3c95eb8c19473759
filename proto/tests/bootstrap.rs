//! Makes the generated code again and compares it with what is checked in.
//!
//! After a change to a `.proto` file, `UPDATE_EXPECT=1 cargo test -p quintet-proto` writes the new code.

use std::fs;
use std::path::Path;

use prost::Message as _;

const PROTOS: [&str; 2] = [
    "quintet/v1/serving.proto",
    "inference/open_inference_grpc.proto",
];
const GENERATED: [&str; 3] = ["quintet.v1.rs", "inference.rs", "descriptor.bin"];

#[test]
fn generated_code_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checked_in = root.join("src/gen");
    let scratch = tempfile::tempdir().expect("a temporary folder");

    let descriptors = protox::compile(PROTOS, [root.join("proto")]).expect("the protos compile");
    // Comments are for readers of the .proto file; reflection clients never show them.
    let mut lean = descriptors.clone();
    for file in &mut lean.file {
        file.source_code_info = None;
    }
    fs::write(scratch.path().join("descriptor.bin"), lean.encode_to_vec()).expect("write");
    tonic_prost_build::configure()
        .bytes(".")
        // Test servers implement only the calls that they are about.
        .generate_default_stubs(true)
        .out_dir(scratch.path())
        .compile_fds(descriptors)
        .expect("code is generated");

    for name in GENERATED {
        let fresh = fs::read(scratch.path().join(name)).expect("generated");
        let old = fs::read(checked_in.join(name)).unwrap_or_default();
        if fresh != old {
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                fs::create_dir_all(&checked_in).expect("folder");
                fs::write(checked_in.join(name), fresh).expect("write");
            } else {
                panic!("src/gen/{name} is stale: run UPDATE_EXPECT=1 cargo test -p quintet-proto");
            }
        }
    }
}
