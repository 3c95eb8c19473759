//! A bench for calls that must be refused.

use std::fmt::Write as _;

use expect_test::Expect;
use quintet_onnx::{DataType, Dim, GraphBuilder, GraphError, Shape, Value};

/// The dimension `N`.
pub(crate) fn n() -> Dim {
    Dim::symbol("N")
}

/// A graph that makes inputs by shape.
pub(crate) struct Bench {
    pub(crate) g: GraphBuilder,
    inputs: usize,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            g: GraphBuilder::new("bench"),
            inputs: 0,
        }
    }

    pub(crate) fn value(&mut self, data_type: DataType, shape: impl Into<Shape>) -> Value {
        self.inputs += 1;
        self.g
            .input(&format!("v{}", self.inputs), data_type, shape)
            .unwrap()
    }

    pub(crate) fn floats(&mut self, shape: impl Into<Shape>) -> Value {
        self.value(DataType::Float32, shape)
    }
}

/// A call that must be refused.
pub(crate) type Refused<'a> = &'a dyn Fn(&mut Bench) -> Result<Value, GraphError>;

/// One message a line, each from a graph of its own.
#[track_caller]
pub(crate) fn refused(cases: &[Refused<'_>], expected: &Expect) {
    let mut messages = String::new();
    for case in cases {
        let error = case(&mut Bench::new()).unwrap_err();
        writeln!(messages, "{error}").unwrap();
    }
    expected.assert_eq(&messages);
}
