//! Reading and changing the graphs of other programs.

use super::*;
use crate::data_type::DataType;
use crate::proto::{
    AttributeProto, FunctionProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto,
};
use crate::shape::{Dim, Shape};
use crate::tensor::tensor;
use crate::value::info;
use crate::{GraphBuilder, ops};

fn model() -> ModelProto {
    let mut graph = GraphBuilder::new("tiny");
    let shape = [Dim::symbol("N"), 3.into(), 2.into(), 2.into()];
    let pixels = graph.input("in:0", DataType::Float32, shape).unwrap();
    let flat = ops::reshape(&mut graph, &pixels, &[0, 12]).unwrap();
    graph.output("out:0", &flat).unwrap();
    graph.build(&[]).unwrap().proto().clone()
}

fn refusal(change: impl FnOnce(&mut ModelProto)) -> String {
    let mut model = model();
    change(&mut model);
    let read = ForeignModel::read(&model.encode_to_vec());
    read.unwrap_err().to_string()
}

fn node(domain: &str) -> NodeProto {
    NodeProto {
        name: "odd".into(),
        op_type: "Magic".into(),
        domain: domain.into(),
        ..NodeProto::default()
    }
}

#[test]
fn versions_and_domains_are_refused_by_name() {
    assert_eq!(
        refusal(|it| it.ir_version = 14),
        "ir_version: is 14; 1 to 13 are allowed"
    );
    assert_eq!(
        refusal(|it| it.opset_import[0].version = 24),
        "opset_import: is 24; 7 to 23 are allowed"
    );
    assert_eq!(
        refusal(|it| it.opset_import.clear()),
        "opset_import: is 0; 7 to 23 are allowed"
    );
    let custom = refusal(|it| it.graph.as_mut().unwrap().node.push(node("com.example")));
    assert_eq!(
        custom,
        "node `odd`: is operator Magic of domain com.example; ai.onnx and ai.onnx.ml are allowed, \
         and functions of the file itself"
    );
    let inner = refusal(|it| {
        let branch = GraphProto {
            node: vec![node("com.example")],
            ..GraphProto::default()
        };
        let attribute = AttributeProto {
            g: Some(branch),
            ..AttributeProto::default()
        };
        it.graph.as_mut().unwrap().node[0].attribute.push(attribute);
    });
    assert!(inner.starts_with("node `odd`"), "{inner}");
    assert!(
        ForeignModel::read(b"\xff\xff")
            .unwrap_err()
            .to_string()
            .starts_with("not an ONNX model")
    );
}

#[test]
fn elements_in_other_files_are_refused() {
    let external = || TensorProto {
        name: "w".into(),
        data_location: 1,
        external_data: vec![StringStringEntryProto {
            key: "location".into(),
            value: "../../etc/passwd".into(),
        }],
        ..TensorProto::default()
    };
    let expected = "tensor `w`: has its elements in \"../../etc/passwd\"; one file must hold";
    let message = refusal(|it| it.graph.as_mut().unwrap().initializer.push(external()));
    assert!(message.starts_with(expected), "{message}");
    let message = refusal(|it| {
        let attribute = AttributeProto {
            t: Some(external()),
            ..AttributeProto::default()
        };
        it.graph.as_mut().unwrap().node[0].attribute.push(attribute);
    });
    assert!(message.starts_with(expected), "{message}");
    let branch = || AttributeProto {
        name: "then_branch".into(),
        g: Some(GraphProto {
            initializer: vec![external()],
            ..GraphProto::default()
        }),
        ..AttributeProto::default()
    };
    let with_branch = || NodeProto {
        op_type: "If".into(),
        attribute: vec![branch()],
        ..NodeProto::default()
    };
    let message = refusal(|it| it.graph.as_mut().unwrap().node.push(with_branch()));
    assert!(message.starts_with(expected), "{message}");
    let message = refusal(|it| {
        it.functions.push(FunctionProto {
            node: vec![with_branch()],
            ..FunctionProto::default()
        });
    });
    assert!(message.starts_with(expected), "{message}");
    let message = refusal(|it| {
        it.functions.push(FunctionProto {
            attribute_proto: vec![AttributeProto {
                t: Some(external()),
                ..AttributeProto::default()
            }],
            ..FunctionProto::default()
        });
    });
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn a_file_is_carried_through() {
    let mut model = model();
    let subgraph = GraphProto {
        name: "branch".into(),
        initializer: vec![TensorProto {
            name: "c".into(),
            data_type: 1,
            float_data: vec![1.5, -2.0],
            dims: vec![2],
            ..TensorProto::default()
        }],
        ..GraphProto::default()
    };
    let attribute = AttributeProto {
        name: "then_branch".into(),
        g: Some(subgraph),
        floats: vec![0.0, 1.0],
        strings: vec![b"a".to_vec()],
        ..AttributeProto::default()
    };
    model.graph.as_mut().unwrap().node[0]
        .attribute
        .push(attribute);
    model.opset_import.push(OperatorSetIdProto {
        domain: "ai.onnx.ml".into(),
        version: 3,
    });
    let bytes = model.encode_to_vec();
    assert_eq!(ForeignModel::read(&bytes).unwrap().to_bytes(), bytes);
}

#[test]
fn constants_are_no_inputs() {
    let mut model = model();
    model.ir_version = 3;
    let graph = model.graph.as_mut().unwrap();
    let constant = tensor("weight", &[1], &[0.5_f32]).unwrap();
    graph.initializer.push(constant);
    graph
        .input
        .insert(0, info("weight", DataType::Float32, &[1].as_slice().into()));
    let read = ForeignModel::read(&model.encode_to_vec()).unwrap();
    assert_eq!(read.inputs().collect::<Vec<_>>(), ["in:0"]);
    assert_eq!(read.model.ir_version, 4);
}

#[test]
fn steps_before_and_after() {
    let mut foreign = ForeignModel::read(&model().encode_to_vec()).unwrap();
    let step = Normalisation {
        offset: vec![127.5; 3],
        scale: vec![127.5; 3],
        channels_first: true,
    };
    let pixels: Shape = [Dim::symbol("N"), 2.into(), 2.into(), 3.into()].into();
    foreign.normalise("in:0", &pixels, &step).unwrap();
    let output = foreign.append_softmax("out:0").unwrap();
    let shape: Shape = [Dim::symbol("N"), 12.into()].into();
    let outputs = [(output.as_str(), DataType::Float32, shape)];
    foreign.declare_outputs(&outputs).unwrap();
    assert_eq!(
        crate::text::model(&foreign.model),
        "\
graph tiny {ir_version=8, opset=17}
input %pixels: uint8[N, 2, 2, 3]
initializer %Reshape_0.shape: int64[2] = [0, 12]
initializer %offset: float32[3] = [127.5, 127.5, 127.5]
initializer %scale: float32[3] = [127.5, 127.5, 127.5]
%pixels_float = Cast(%pixels) {to=1}
%pixels_centred = Sub(%pixels_float, %offset)
%pixels_scaled = Div(%pixels_centred, %scale)
%in:0 = Transpose(%pixels_scaled) {perm=[0, 3, 1, 2]}
%out:0 = Reshape(%in:0, %Reshape_0.shape)
%probabilities: float32[N, 12] = Softmax(%out:0) {axis=1}
output %probabilities: float32[N, 12]
"
    );
}

/// A branch sees the values of the graph around it, so none of its own may have their names.
#[test]
fn new_names_are_not_those_of_branches() {
    let mut model = model();
    let float = |name| info(name, DataType::Float32, &[1].as_slice().into());
    let branch = GraphProto {
        initializer: vec![tensor("probabilities", &[1], &[0.5_f32]).unwrap()],
        input: vec![float("probabilities_1")],
        ..GraphProto::default()
    };
    let attribute = AttributeProto {
        g: Some(branch),
        ..AttributeProto::default()
    };
    let graph = model.graph.as_mut().unwrap();
    graph.node[0].attribute.push(attribute);
    let mut foreign = ForeignModel::read(&model.encode_to_vec()).unwrap();
    let output = foreign.append_softmax("out:0").unwrap();
    assert_eq!(output, "probabilities_2");
}

#[test]
fn values_that_are_not_there_are_refused() {
    let mut foreign = ForeignModel::read(&model().encode_to_vec()).unwrap();
    let shape: Shape = [Dim::symbol("N"), 4.into()].into();
    let error = foreign.declare_input("x", DataType::Float32, &shape);
    assert_eq!(
        error.unwrap_err().to_string(),
        "input `x`: is not in the graph; the name of one of the graph's inputs"
    );
    assert!(foreign.append_softmax("x").is_err());
    let outputs = [("x", DataType::Float32, shape)];
    assert!(foreign.declare_outputs(&outputs).is_err());
}
