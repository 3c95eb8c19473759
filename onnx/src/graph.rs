//! The graph builder.

use std::collections::{HashMap, HashSet};

use crate::check::check;
use crate::data_type::DataType;
use crate::error::{GraphError, Result};
use crate::model::{IR_VERSION, Model, OPSET, PRODUCER};
use crate::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
};
use crate::shape::Shape;
use crate::storage::{self, Storage};
use crate::tensor::{Element, tensor};
use crate::value::{GraphId, Value};

/// Collects inputs, initializers, nodes and outputs, and [builds](Self::build) a checked [`Model`].
///
/// Nodes come from the functions in [`ops`](crate::ops); they stand in the file in the order of the
/// calls.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    id: GraphId,
    name: String,
    storage: Storage,
    inputs: Vec<Value>,
    initializers: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
    /// What the nodes make, in their order.
    results: Vec<Value>,
    /// Public name and value, in the order of the calls.
    outputs: Vec<(String, Value)>,
    /// Every name that a value has or will have.
    names: HashSet<String>,
    /// How many nodes each operator has.
    counts: HashMap<&'static str, usize>,
}

impl GraphBuilder {
    /// An empty graph. The name is shown by tools.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// How [weights](Self::weight) are stored from now on; as float32 before the first call.
    pub fn set_storage(&mut self, storage: Storage) {
        self.storage = storage;
    }

    /// How weights are stored now.
    pub(crate) const fn storage(&self) -> Storage {
        self.storage
    }

    /// Adds a graph input. Each symbol of the shape is bound when the graph runs.
    pub fn input(
        &mut self,
        name: &str,
        data_type: DataType,
        shape: impl Into<Shape>,
    ) -> Result<Value> {
        let shape = shape.into();
        shape.check(name)?;
        self.reserve("an input", name)?;
        let value = Value::new(&self.id, name.to_owned(), data_type, shape);
        self.inputs.push(value.clone());
        Ok(value)
    }

    /// Adds a float32 constant, as [`initializer`](Self::initializer) does.
    pub fn initializer_f32(&mut self, name: &str, shape: &[usize], data: &[f32]) -> Result<Value> {
        self.initializer(name, shape, data)
    }

    /// Adds a constant; `data` is in row-major order. An empty shape makes a scalar.
    pub fn initializer<T: Element>(
        &mut self,
        name: &str,
        shape: &[usize],
        data: &[T],
    ) -> Result<Value> {
        let proto = tensor(name, shape, data)?;
        self.reserve("an initializer", name)?;
        self.initializers.push(proto);
        let (name, shape) = (name.to_owned(), shape.into());
        Ok(Value::new(&self.id, name, T::DATA_TYPE, shape))
    }

    /// Adds a weight and gives its float32 value. It is stored as [`Self::set_storage`] says; a
    /// runtime folds what makes it float32 again when it loads the model. `axis` is that of the
    /// channels, which int8 scales each by itself: a matrix's outputs, a table's rows.
    pub fn weight(
        &mut self,
        name: &str,
        shape: &[usize],
        axis: usize,
        data: &[f32],
    ) -> Result<Value> {
        storage::weight(self, name, shape, axis, data)
    }

    /// Adds a float32 number of an operator's own.
    pub(crate) fn scalar(&mut self, value: f32) -> Result<Value> {
        self.initializer(&self.fresh("scalar"), &[], &[value])
    }

    /// Gives out a node's result under `name`, which replaces the value's own name in the file.
    pub fn output(&mut self, name: &str, value: &Value) -> Result<()> {
        let refuse = |reason| Err(GraphError::Value(format!("output `{name}`: {reason}")));
        let own = value.name();
        if !self.owns(value) {
            return refuse(format!("the value `{own}` belongs to another graph"));
        }
        let is = |other: &str| other == own;
        let what = if self.outputs.iter().any(|(_, other)| is(other.name())) {
            Some("an output")
        } else if self.inputs.iter().any(|input| is(input.name())) {
            Some("an input")
        } else if self.initializers.iter().any(|constant| is(&constant.name)) {
            Some("an initializer")
        } else {
            None
        };
        if let Some(what) = what {
            let allowed = "an output must be a node's result, given out once";
            return refuse(format!("`{own}` is {what}; {allowed}"));
        }
        if name != own {
            self.reserve("an output", name)?;
        }
        self.outputs.push((name.to_owned(), value.clone()));
        Ok(())
    }

    /// Checks the graph and makes the model. `metadata` are free facts, kept in the given order.
    ///
    /// The check asks for: a name, unique metadata, at least one output, and nothing dangling, that
    /// is no input, initializer or node that no output needs.
    pub fn build(self, metadata: &[(&str, &str)]) -> Result<Model> {
        let public = self.outputs.iter();
        let public: HashMap<&str, &str> = public
            .map(|(name, value)| (value.name(), name.as_str()))
            .collect();
        let mut nodes = self.nodes;
        for node in &mut nodes {
            for name in node.input.iter_mut().chain(&mut node.output) {
                if let Some(public) = public.get(name.as_str()) {
                    (*public).clone_into(name);
                }
            }
        }
        let read = nodes.iter().flat_map(|node| node.input.iter().cloned());
        let given_out = self.outputs.iter().map(|(name, _)| name.clone());
        let used: HashSet<String> = read.chain(given_out).collect();
        for node in &mut nodes {
            leave_out_unused_outputs(node, &used);
        }

        let inner =
            |value: &&Value| used.contains(value.name()) && !public.contains_key(value.name());
        let info = |value: &Value| value.info(value.name());
        let outputs = self.outputs.iter();
        let entry = |&(key, value): &(&str, &str)| StringStringEntryProto {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let graph = GraphProto {
            node: nodes,
            name: self.name,
            initializer: self.initializers,
            input: self.inputs.iter().map(info).collect(),
            output: outputs.map(|(name, value)| value.info(name)).collect(),
            value_info: self.results.iter().filter(inner).map(info).collect(),
            sparse_initializer: Vec::new(),
        };
        let metadata_props: Vec<_> = metadata.iter().map(entry).collect();
        check(&graph, &metadata_props)?;
        Ok(Model(ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPSET,
            }],
            producer_name: PRODUCER.to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(graph),
            metadata_props,
            functions: Vec::new(),
        }))
    }

    pub(crate) fn owns(&self, value: &Value) -> bool {
        value.belongs_to(&self.id)
    }

    /// The name that the next node of the operator gets: `Gemm_0`, `Gemm_1`, …
    pub(crate) fn next_node_name(&self, op: &'static str) -> String {
        let first = self.counts.get(op).copied().unwrap_or(0);
        self.first_free(op, first)
    }

    /// `name`, or `name` with a number where it is taken.
    pub(crate) fn fresh(&self, name: &str) -> String {
        if self.names.contains(name) {
            self.first_free(name, 1)
        } else {
            name.to_owned()
        }
    }

    fn first_free(&self, stem: &str, mut number: usize) -> String {
        loop {
            let name = format!("{stem}_{number}");
            if !self.names.contains(&name) {
                return name;
            }
            number += 1;
        }
    }

    /// Takes in a node whose inputs have been checked and whose names are free.
    pub(crate) fn push<const N: usize>(
        &mut self,
        op: &'static str,
        mut node: NodeProto,
        constants: Vec<TensorProto>,
        outputs: [(String, DataType, Shape); N],
    ) -> [Value; N] {
        *self.counts.entry(op).or_default() += 1;
        // The node's name is kept free even where its outputs are named otherwise.
        self.names.insert(node.name.clone());
        self.names
            .extend(constants.iter().map(|it| it.name.clone()));
        self.initializers.extend(constants);
        let values = outputs.map(|(name, data_type, shape)| {
            self.names.insert(name.clone());
            Value::new(&self.id, name, data_type, shape)
        });
        node.output = values.iter().map(|value| value.name().to_owned()).collect();
        self.results.extend(values.iter().cloned());
        self.nodes.push(node);
        values
    }

    fn reserve(&mut self, what: &'static str, name: &str) -> Result<()> {
        if name.is_empty() {
            return Err(GraphError::Value(format!("{what} has an empty name")));
        }
        if !self.names.insert(name.to_owned()) {
            let reason = format!("the name `{name}` is already in use");
            return Err(GraphError::Value(reason));
        }
        Ok(())
    }
}

/// Blanks the outputs that no node reads, so that a runtime need not compute them.
///
/// A node without any read output stays as it is, for the check to report.
fn leave_out_unused_outputs(node: &mut NodeProto, used: &HashSet<String>) {
    if !node.output.iter().any(|name| used.contains(name)) {
        return;
    }
    for name in node.output.iter_mut().filter(|name| !used.contains(*name)) {
        name.clear();
    }
    while node.output.pop_if(|name| name.is_empty()).is_some() {}
}
