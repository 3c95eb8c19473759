//! Runs small graphs in ONNX Runtime.

use std::sync::OnceLock;

use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorElementType, ValueType};
use quintet_onnx::{DataType, Dim, GraphBuilder, Model, Shape, Value};

/// A tensor with its numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    U8(Vec<u8>),
    Bool(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
}

/// A graph under test: inputs with their numbers, and results to compare.
pub(crate) struct Case {
    pub(crate) g: GraphBuilder,
    inputs: Vec<(Value, Array)>,
    outputs: Vec<Value>,
}

impl Case {
    pub(crate) fn new() -> Self {
        Self {
            g: GraphBuilder::new("case"),
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// An input of the array's type, declared with `shape`, and bound to the array.
    pub(crate) fn input(&mut self, shape: impl Into<Shape>, array: Array) -> Value {
        let name = format!("x{}", self.inputs.len());
        let value = self.g.input(&name, array.data_type(), shape).unwrap();
        self.inputs.push((value.clone(), array));
        value
    }

    /// An input declared with the array's own lengths.
    pub(crate) fn fixed(&mut self, array: Array) -> Value {
        self.input(Shape::from(&array.shape[..]), array)
    }

    /// Gives a value out.
    pub(crate) fn output(&mut self, value: &Value) {
        self.g
            .output(&format!("y{}", self.outputs.len()), value)
            .unwrap();
        self.outputs.push(value.clone());
    }

    /// Runs the graph; every result must have the type and shape that the builder inferred, and the
    /// runtime's own inference must agree.
    pub(crate) fn run(self) -> Vec<Array> {
        let model = self.g.build(&[]).unwrap();
        agree_on_types(&model, &self.outputs);
        let mut session = session(&model.to_bytes());
        let feed: Vec<(String, SessionInputValue<'_>)> = self
            .inputs
            .iter()
            .map(|(value, array)| (value.name().to_owned(), array.to_ort().into()))
            .collect();
        let results = session.run(feed).unwrap();
        let arrays: Vec<_> = (0..self.outputs.len())
            .map(|i| Array::from_ort(&results[i]))
            .collect();
        for (array, value) in arrays.iter().zip(&self.outputs) {
            assert_eq!(array.data_type(), value.data_type());
            let bound: Vec<_> = value
                .shape()
                .iter()
                .map(|dim| bind(dim, &self.inputs))
                .collect();
            assert_eq!(array.shape, bound, "inferred {}", value.shape());
        }
        arrays
    }

    /// Gives out the one value, runs, and gives its result.
    pub(crate) fn result(mut self, value: &Value) -> Array {
        self.output(value);
        self.run().remove(0)
    }
}

impl Array {
    pub(crate) fn f32(shape: &[usize], data: &[f32]) -> Self {
        Self {
            shape: shape.to_vec(),
            data: Data::F32(data.to_vec()),
        }
    }

    pub(crate) fn i64(shape: &[usize], data: &[i64]) -> Self {
        Self {
            shape: shape.to_vec(),
            data: Data::I64(data.to_vec()),
        }
    }

    pub(crate) fn i32(shape: &[usize], data: &[i32]) -> Self {
        Self {
            shape: shape.to_vec(),
            data: Data::I32(data.to_vec()),
        }
    }

    pub(crate) fn u8(shape: &[usize], data: &[u8]) -> Self {
        Self {
            shape: shape.to_vec(),
            data: Data::U8(data.to_vec()),
        }
    }

    pub(crate) fn bool(shape: &[usize], data: &[bool]) -> Self {
        Self {
            shape: shape.to_vec(),
            data: Data::Bool(data.to_vec()),
        }
    }

    /// The numbers of a float32 array.
    pub(crate) fn floats(&self) -> &[f32] {
        let Data::F32(data) = &self.data else {
            panic!("not float32: {self:?}")
        };
        data
    }

    /// Same shape, and every number within `tolerance`.
    #[track_caller]
    pub(crate) fn assert_close(&self, expected: &Self, tolerance: f32) {
        assert_eq!(self.shape, expected.shape);
        let (actual, wanted) = (self.floats(), expected.floats());
        assert_eq!(actual.len(), wanted.len());
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= tolerance;
        assert!(
            actual.iter().zip(wanted).all(close),
            "{actual:?} is not {wanted:?}"
        );
    }

    fn data_type(&self) -> DataType {
        match self.data {
            Data::U8(_) => DataType::Uint8,
            Data::Bool(_) => DataType::Bool,
            Data::I32(_) => DataType::Int32,
            Data::I64(_) => DataType::Int64,
            Data::F32(_) => DataType::Float32,
        }
    }

    fn to_ort(&self) -> DynValue {
        let shape = self.shape.clone();
        match self.data.clone() {
            Data::U8(data) => Tensor::from_array((shape, data)).unwrap().into_dyn(),
            Data::Bool(data) => Tensor::from_array((shape, data)).unwrap().into_dyn(),
            Data::I32(data) => Tensor::from_array((shape, data)).unwrap().into_dyn(),
            Data::I64(data) => Tensor::from_array((shape, data)).unwrap().into_dyn(),
            Data::F32(data) => Tensor::from_array((shape, data)).unwrap().into_dyn(),
        }
    }

    fn from_ort(value: &DynValue) -> Self {
        let ValueType::Tensor { ty, shape, .. } = value.dtype() else {
            panic!("not a tensor")
        };
        let data = match ty {
            TensorElementType::Bool => Data::Bool(value.try_extract_tensor().unwrap().1.to_vec()),
            TensorElementType::Uint8 => Data::U8(value.try_extract_tensor().unwrap().1.to_vec()),
            TensorElementType::Int32 => Data::I32(value.try_extract_tensor().unwrap().1.to_vec()),
            TensorElementType::Int64 => Data::I64(value.try_extract_tensor().unwrap().1.to_vec()),
            TensorElementType::Float32 => Data::F32(value.try_extract_tensor().unwrap().1.to_vec()),
            other => panic!("unexpected element type {other:?}"),
        };
        Self {
            shape: shape.iter().map(|&length| length as usize).collect(),
            data,
        }
    }
}

/// The dimension `N`.
pub(crate) fn n() -> Dim {
    Dim::symbol("N")
}

/// Numbers that differ, are small, and have both signs.
pub(crate) fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 37 + seed * 101) % 41) as f32 / 20.0 - 1.0)
        .collect()
}

/// The runtime.
pub(crate) fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| ort::init().build().unwrap())
}

/// Loads a model.
pub(crate) fn session(bytes: &[u8]) -> Session {
    Session::builder(environment())
        .and_then(|builder| Ok(builder.with_intra_threads(1)?))
        .and_then(|mut builder| builder.commit_from_memory(bytes))
        .unwrap()
}

/// The length that the inputs give to a dimension.
fn bind(dim: &Dim, inputs: &[(Value, Array)]) -> usize {
    let bound = |(value, array): &(Value, Array)| {
        value
            .shape()
            .iter()
            .position(|other| other == dim)
            .map(|axis| array.shape[axis])
    };
    dim.fixed()
        .or_else(|| inputs.iter().find_map(bound))
        .expect("an input has the symbol")
}

/// Without the builder's shapes in the file, the runtime must infer the same ones.
fn agree_on_types(model: &Model, outputs: &[Value]) {
    let mut bare = model.proto().clone();
    let graph = bare.graph.as_mut().unwrap();
    graph.value_info.clear();
    for output in &mut graph.output {
        output.r#type = None;
    }
    let session = session(&prost::Message::encode_to_vec(&bare));
    for (outlet, value) in session.outputs().iter().zip(outputs) {
        let ValueType::Tensor {
            shape,
            dimension_symbols,
            ..
        } = outlet.dtype()
        else {
            panic!("{} is not a tensor", outlet.name())
        };
        // The runtime may know less than the builder: an unnamed symbol for the -1 of a reshape.
        let theirs: Vec<_> = shape
            .iter()
            .zip(dimension_symbols.iter())
            .zip(value.shape().iter())
            .map(|((&length, symbol), ours)| match usize::try_from(length) {
                Ok(length) => Dim::Fixed(length),
                Err(_) if symbol.is_empty() && ours.fixed().is_none() => ours.clone(),
                Err(_) => Dim::symbol(symbol),
            })
            .collect();
        assert_eq!(
            shape.len(),
            value.shape().rank(),
            "rank of {}",
            outlet.name()
        );
        assert_eq!(theirs, value.shape().to_vec(), "shape of {}", outlet.name());
    }
}
