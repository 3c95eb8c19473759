//! Builds ONNX models in memory, in pure Rust.
//!
//! A [`GraphBuilder`] hands out [`Value`]s: handles that carry a name, a [`DataType`] and a
//! symbolic [`Shape`]. Each function in [`ops`] takes values and returns values, and checks types
//! and shapes when it is called, so a mistake is reported where it is made. [`GraphBuilder::build`]
//! checks the whole graph and is the only way to a [`Model`].
//!
//! ```
//! use quintet_onnx::{DataType, Dim, GraphBuilder, ops};
//!
//! # fn main() -> Result<(), quintet_onnx::GraphError> {
//! let mut g = GraphBuilder::new("tiny");
//! let pixels = g.input("pixels", DataType::Uint8, [Dim::symbol("N"), 2.into(), 2.into()])?;
//! let weight = g.initializer_f32("fc1.weight", &[3, 4], &[0.1; 12])?;
//! let bias = g.initializer_f32("fc1.bias", &[3], &[0.0; 3])?;
//!
//! let x = ops::cast(&mut g, &pixels, DataType::Float32)?;
//! let x = ops::reshape(&mut g, &x, &[0, 4])?;
//! let linear = ops::GemmAttributes { trans_b: true, ..Default::default() };
//! let x = ops::gemm(&mut g, &x, &weight, Some(&bias), linear)?;
//! let x = ops::softmax(&mut g, &x, -1)?;
//! assert_eq!(x.shape().to_string(), "[N, 3]");
//!
//! g.output("probabilities", &x)?;
//! let model = g.build(&[("task", "example")])?;
//! assert_eq!(
//!     model.to_text(),
//!     "\
//! graph tiny {ir_version=8, opset=17}
//! metadata task=example
//! input %pixels: uint8[N, 2, 2]
//! initializer %fc1.weight: float32[3, 4]
//! initializer %fc1.bias: float32[3] = [0.0, 0.0, 0.0]
//! initializer %Reshape_0.shape: int64[2] = [0, 4]
//! %Cast_0: float32[N, 2, 2] = Cast(%pixels) {to=1}
//! %Reshape_0: float32[N, 4] = Reshape(%Cast_0, %Reshape_0.shape)
//! %Gemm_0: float32[N, 3] = Gemm(%Reshape_0, %fc1.weight, %fc1.bias) {transB=1}
//! %probabilities: float32[N, 3] = Softmax(%Gemm_0) {axis=-1}
//! output %probabilities: float32[N, 3]
//! "
//! );
//! let file = model.to_bytes(); // what an .onnx file holds
//! # assert!(!file.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # Shapes
//!
//! A symbol stands for a length known at run time; the same symbol is the same length. An operation
//! is refused unless its shapes can be proved to fit: `N` and `M` do not broadcast, nor do `N` and
//! 3.
//!
//! # What it is not
//!
//! It optimises nothing, and knows only the operators that Quintet's models use, in the forms that
//! they use. Of a model that another program wrote it reads the weights and the signature; a
//! [`ForeignModel`] carries the rest through as it is. It runs nothing either: the tests do that, in
//! ONNX Runtime.

mod attribute;
mod check;
mod data_type;
mod error;
mod foreign;
mod graph;
mod model;
mod node;
pub mod ops;
pub mod proto;
mod shape;
mod storage;
mod tensor;
mod text;
mod value;

pub use self::data_type::DataType;
pub use self::error::{GraphError, Result};
pub use self::foreign::{ForeignError, ForeignModel, Normalisation};
pub use self::graph::GraphBuilder;
pub use self::model::{IR_VERSION, Model, OPSET, PRODUCER};
pub use self::shape::{Dim, Shape};
pub use self::storage::{Initializer, ReadError, Storage, initializers, quantize};
pub use self::tensor::Element;
pub use self::value::Value;
