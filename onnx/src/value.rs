//! Value handles.

use std::sync::Arc;

use crate::data_type::DataType;
use crate::proto::tensor_shape_proto::{Dimension, dimension};
use crate::proto::{TensorShapeProto, TypeProto, ValueInfoProto, type_proto};
use crate::shape::{Dim, Shape};

/// A tensor in a graph: an input, an initializer, or what a node makes.
///
/// Cheap to clone. A value belongs to the [`GraphBuilder`](crate::GraphBuilder) that made it;
/// another graph refuses it.
#[derive(Clone, Debug)]
pub struct Value(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    graph: GraphId,
    name: String,
    data_type: DataType,
    shape: Shape,
}

/// Tells graphs apart: two ids are equal when they are clones of one.
pub(crate) type GraphId = Arc<()>;

impl Value {
    pub(crate) fn new(graph: &GraphId, name: String, data_type: DataType, shape: Shape) -> Self {
        Self(Arc::new(Inner {
            graph: Arc::clone(graph),
            name,
            data_type,
            shape,
        }))
    }

    /// The name in the graph. A graph output gets its public name only when the graph is built.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The type of the elements.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.0.data_type
    }

    /// The shape, as far as it is known before a run.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    pub(crate) fn belongs_to(&self, graph: &GraphId) -> bool {
        Arc::ptr_eq(&self.0.graph, graph)
    }

    /// The file's record of this value, under `name`.
    pub(crate) fn info(&self, name: &str) -> ValueInfoProto {
        info(name, self.data_type(), self.shape())
    }
}

/// The file's record of a tensor.
pub(crate) fn info(name: &str, data_type: DataType, shape: &Shape) -> ValueInfoProto {
    let tensor = type_proto::Tensor {
        elem_type: data_type.code(),
        shape: Some(TensorShapeProto {
            dim: shape.iter().map(dimension).collect(),
        }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
        }),
    }
}

fn dimension(dim: &Dim) -> Dimension {
    let value = match dim {
        Dim::Fixed(length) => dimension::Value::DimValue(*length as i64),
        Dim::Symbol(name) => dimension::Value::DimParam(name.to_string()),
    };
    Dimension { value: Some(value) }
}
