//! What the runtime sees of a whole model.

use quintet_onnx::{DataType, Dim, GraphBuilder, OPSET, ops};

use crate::harness::session;

#[test]
fn the_runtime_reads_names_and_facts() {
    let mut g = GraphBuilder::new("tiny");
    let shape = [Dim::symbol("N"), 2.into()];
    let x = g.input("pixels", DataType::Uint8, shape).unwrap();
    let y = ops::cast(&mut g, &x, DataType::Float32).unwrap();
    g.output("scores", &y).unwrap();
    let model = g
        .build(&[("task", "image_classification"), ("labels", "0,1")])
        .unwrap();

    let session = session(&model.to_bytes());
    let names = (session.inputs()[0].name(), session.outputs()[0].name());
    assert_eq!(names, ("pixels", "scores"));
    assert_eq!(session.opset_for_domain(""), u32::try_from(OPSET).ok());
    let metadata = session.metadata().unwrap();
    assert_eq!(metadata.producer().as_deref(), Some("quintet"));
    assert_eq!(metadata.name().as_deref(), Some("tiny"));
    assert_eq!(
        metadata.custom("task").as_deref(),
        Some("image_classification")
    );
    assert_eq!(metadata.custom("labels").as_deref(), Some("0,1"));
}
