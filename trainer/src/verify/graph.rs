//! Any graph's signature, and runs by the names of its values.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ort::session::SessionInputValue;
use ort::value::{DynValue, Outlet, TensorElementType, Value, ValueType};
use quintet_bundle as bundle;

use super::LoadedModel;
use crate::error::Error;

/// Tensors of a graph by their names.
pub type Tensors = BTreeMap<String, bundle::Tensor>;

/// An input or output as ONNX Runtime sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The value's name.
    pub name: String,
    /// The elements' type, as ONNX Runtime writes it.
    pub type_name: String,
    /// The same, where a bundle has it.
    pub datatype: Option<bundle::DataType>,
    /// The lengths; `None` for open ones.
    pub shape: Vec<Option<usize>>,
}

impl LoadedModel {
    /// What the graph takes.
    pub fn inputs(&self) -> Vec<Port> {
        self.session.inputs().iter().map(port).collect()
    }

    /// What the graph gives.
    pub fn outputs(&self) -> Vec<Port> {
        self.session.outputs().iter().map(port).collect()
    }

    /// Runs the graph once.
    ///
    /// # Errors
    /// ONNX Runtime refuses the inputs, or an output is no tensor of a type that bundles have.
    pub fn run(&mut self, inputs: &Tensors) -> Result<Tensors, Error> {
        let named = inputs.iter().map(|(name, tensor)| {
            let value: SessionInputValue<'_> = value(tensor)?.into();
            Ok((Cow::Borrowed(name.as_str()), value))
        });
        let named = named.collect::<ort::Result<Vec<_>>>()?;
        let outputs = self.session.run(named)?;
        let tensor = |(name, value): (&str, &DynValue)| Ok((name.to_owned(), tensor(value)?));
        outputs
            .iter()
            .map(|(name, value)| tensor((name, &value)))
            .collect()
    }
}

fn port(outlet: &Outlet) -> Port {
    let (type_name, datatype, shape) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let shape = shape.iter().map(|&dim| usize::try_from(dim).ok());
            (ty.to_string(), datatype(*ty), shape.collect())
        }
        other => (other.to_string(), None, Vec::new()),
    };
    Port {
        name: outlet.name().to_owned(),
        type_name,
        datatype,
        shape,
    }
}

fn datatype(element: TensorElementType) -> Option<bundle::DataType> {
    Some(match element {
        TensorElementType::Uint8 => bundle::DataType::Uint8,
        TensorElementType::Int32 => bundle::DataType::Int32,
        TensorElementType::Int64 => bundle::DataType::Int64,
        TensorElementType::Float32 => bundle::DataType::Float32,
        _ => return None,
    })
}

fn value(tensor: &bundle::Tensor) -> ort::Result<DynValue> {
    let shape: Vec<i64> = tensor.shape().iter().map(|&dim| dim as i64).collect();
    let held = "the tensor has this type";
    Ok(match tensor.datatype() {
        bundle::DataType::Uint8 => {
            Value::from_array((shape, tensor.to_vec::<u8>().expect(held)))?.into_dyn()
        }
        bundle::DataType::Int32 => {
            Value::from_array((shape, tensor.to_vec::<i32>().expect(held)))?.into_dyn()
        }
        bundle::DataType::Int64 => {
            Value::from_array((shape, tensor.to_vec::<i64>().expect(held)))?.into_dyn()
        }
        bundle::DataType::Float32 => {
            Value::from_array((shape, tensor.to_vec::<f32>().expect(held)))?.into_dyn()
        }
    })
}

fn tensor(value: &DynValue) -> Result<bundle::Tensor, Error> {
    fn of<T>(value: &DynValue) -> Result<bundle::Tensor, Error>
    where
        T: bundle::Element + Clone + ort::value::PrimitiveTensorElementType + std::fmt::Debug,
    {
        let (shape, elements) = value.try_extract_tensor::<T>()?;
        let shape: Vec<usize> = shape.iter().map(|&dim| dim.max(0) as usize).collect();
        Ok(bundle::Tensor::new::<T>(shape, elements)?)
    }
    let element = value.dtype().tensor_type();
    match element.and_then(datatype) {
        Some(bundle::DataType::Uint8) => of::<u8>(value),
        Some(bundle::DataType::Int32) => of::<i32>(value),
        Some(bundle::DataType::Int64) => of::<i64>(value),
        Some(bundle::DataType::Float32) => of::<f32>(value),
        None => Err(Error::Parity(format!(
            "an output is {}; UINT8, INT32, INT64 and FP32 tensors are allowed",
            value.dtype()
        ))),
    }
}
