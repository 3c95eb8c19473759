//! The text form: one line for each input, initializer, node and output.
//!
//! ```text
//! graph tiny {ir_version=8, opset=17}
//! input %x: float32[N, 4]
//! initializer %fc1.weight: float32[2, 4]
//! %Gemm_0: float32[N, 2] = Gemm(%x, %fc1.weight) {transB=1}
//! %y: float32[N, 2] = Relu(%Gemm_0)
//! output %y: float32[N, 2]
//! ```

use std::collections::HashMap;
use std::fmt::Display;

use half::f16;

use crate::data_type::DataType;
use crate::proto::attribute_proto::AttributeType;
use crate::proto::tensor_shape_proto::dimension;
use crate::proto::{
    AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, type_proto,
};

/// Initializers with at most this many elements are shown with their data.
const SHOWN_ELEMENTS: usize = 8;

/// The model's text, each line ended by a newline.
pub(crate) fn model(model: &ModelProto) -> String {
    let Some(graph) = &model.graph else {
        return String::new();
    };
    let opset = model.opset_import.first().map_or(0, |opset| opset.version);
    let mut lines = vec![format!(
        "graph {} {{ir_version={}, opset={opset}}}",
        graph.name, model.ir_version
    )];
    let metadata = model.metadata_props.iter();
    lines.extend(metadata.map(|entry| format!("metadata {}={}", entry.key, entry.value)));
    let inputs = graph.input.iter();
    lines.extend(inputs.map(|input| format!("input {}", typed(input))));
    lines.extend(graph.initializer.iter().map(initializer));
    let infos = graph.value_info.iter().chain(&graph.output);
    let types = infos.map(|info| (info.name.as_str(), info)).collect();
    lines.extend(graph.node.iter().map(|item| node(item, &types)));
    let outputs = graph.output.iter();
    lines.extend(outputs.map(|output| format!("output {}", typed(output))));
    lines.join("\n") + "\n"
}

/// `%h: float32[N, 128]`
fn typed(info: &ValueInfoProto) -> String {
    let value_type = info.r#type.as_ref().and_then(|it| it.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = value_type else {
        return format!("%{}", info.name);
    };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let dims = dims.map(|dim| match &dim.value {
        Some(dimension::Value::DimValue(length)) => length.to_string(),
        Some(dimension::Value::DimParam(name)) => name.clone(),
        None => "?".to_owned(),
    });
    let (name, data_type) = (&info.name, type_name(tensor.elem_type));
    format!("%{name}: {data_type}[{}]", join(dims))
}

fn node(node: &NodeProto, types: &HashMap<&str, &ValueInfoProto>) -> String {
    let output = |name: &String| match types.get(name.as_str()) {
        Some(info) => typed(info),
        None => reference(name),
    };
    let mut attributes = join(node.attribute.iter().map(attribute));
    if !attributes.is_empty() {
        attributes = format!(" {{{attributes}}}");
    }
    let outputs = join(node.output.iter().map(output));
    let inputs = join(node.input.iter().map(|name| reference(name)));
    format!("{outputs} = {}({inputs}){attributes}", node.op_type)
}

/// `%name`, or `_` for an optional input or output that is left out.
fn reference(name: &str) -> String {
    if name.is_empty() {
        "_".to_owned()
    } else {
        format!("%{name}")
    }
}

fn attribute(attribute: &AttributeProto) -> String {
    let value = match attribute.r#type() {
        AttributeType::Float => shown(attribute.f.unwrap_or_default()),
        AttributeType::Int => attribute.i.unwrap_or_default().to_string(),
        AttributeType::String => {
            String::from_utf8_lossy(attribute.s.as_deref().unwrap_or_default()).into_owned()
        }
        AttributeType::Ints => format!("{:?}", attribute.ints),
        _ => "?".to_owned(),
    };
    format!("{}={value}", attribute.name)
}

fn initializer(tensor: &TensorProto) -> String {
    let (name, dims) = (&tensor.name, join(tensor.dims.iter()));
    let head = format!(
        "initializer %{name}: {}[{dims}]",
        type_name(tensor.data_type)
    );
    let Some(data_type) = DataType::from_code(tensor.data_type) else {
        return head;
    };
    if tensor.raw_data.len() > SHOWN_ELEMENTS * data_type.size() {
        return head;
    }
    let elements = tensor.raw_data.chunks_exact(data_type.size());
    let elements = elements.map(|bytes| match data_type {
        DataType::Uint8 => bytes[0].to_string(),
        DataType::Int8 => i8::from_le_bytes(array(bytes)).to_string(),
        DataType::Bool => (bytes[0] != 0).to_string(),
        DataType::Int32 => i32::from_le_bytes(array(bytes)).to_string(),
        DataType::Int64 => i64::from_le_bytes(array(bytes)).to_string(),
        DataType::Float16 => shown(f16::from_le_bytes(array(bytes)).to_f32()),
        DataType::Float32 => shown(f32::from_le_bytes(array(bytes))),
    });
    format!("{head} = [{}]", join(elements))
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let array = bytes.try_into();
    array.expect("the chunks have the size of the element type")
}

fn type_name(code: i32) -> &'static str {
    DataType::from_code(code).map_or("?", DataType::as_str)
}

/// A float with its point, so that it cannot be taken for an integer.
fn shown(value: f32) -> String {
    format!("{value:?}")
}

fn join<T: Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<_> = items.map(|item| item.to_string()).collect();
    items.join(", ")
}
