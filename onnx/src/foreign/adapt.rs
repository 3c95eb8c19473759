//! Steps that are added to a foreign graph: before an input, and after an output.

use super::{ForeignError, ForeignModel};
use crate::data_type::DataType;
use crate::proto::{AttributeProto, NodeProto};
use crate::shape::Shape;
use crate::tensor::{Element, tensor};
use crate::value::info;

/// `(level - offset) / scale` for each channel of a pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation {
    /// One for each channel.
    pub offset: Vec<f32>,
    /// One for each channel.
    pub scale: Vec<f32>,
    /// Whether the graph takes `[N, channels, height, width]`, and not `[N, height, width,
    /// channels]`.
    pub channels_first: bool,
}

impl ForeignModel {
    /// Says what an input is: its type and shape. They must not contradict the graph.
    ///
    /// # Errors
    /// There is no such input.
    pub fn declare_input(
        &mut self,
        name: &str,
        data_type: DataType,
        shape: &Shape,
    ) -> Result<(), ForeignError> {
        let inputs = &mut self.graph_mut().input;
        let Some(input) = inputs.iter_mut().find(|it| it.name == name) else {
            return Err(missing("input", name));
        };
        *input = info(name, data_type, shape);
        Ok(())
    }

    /// Keeps these outputs alone, in this order, with these types and shapes.
    ///
    /// # Errors
    /// There is no such output.
    pub fn declare_outputs(
        &mut self,
        outputs: &[(&str, DataType, Shape)],
    ) -> Result<(), ForeignError> {
        let mut kept = Vec::new();
        for (name, data_type, shape) in outputs {
            if self.outputs().all(|it| it != *name) {
                return Err(missing("output", name));
            }
            kept.push(info(name, *data_type, shape));
        }
        self.graph_mut().output = kept;
        Ok(())
    }

    /// Makes the graph take uint8 levels of shape `pixels`, `[N, height, width, channels]`, instead
    /// of `input`, and normalise them, and transpose them where it takes the channels first. Gives
    /// the new input's name.
    ///
    /// # Errors
    /// There is no such input, or a name is taken.
    pub fn normalise(
        &mut self,
        input: &str,
        pixels: &Shape,
        step: &Normalisation,
    ) -> Result<String, ForeignError> {
        let position = self.graph().input.iter().position(|it| it.name == input);
        let position = position.ok_or_else(|| missing("input", input))?;
        let channels = step.offset.len();
        let offset = self.constant("offset", &[channels], &step.offset)?;
        let scale = self.constant("scale", &[channels], &step.scale)?;
        // The graph's nodes keep reading the input's name, which the last of the steps now makes.
        let levels = self.fresh("pixels");
        let floats = self.fresh("pixels_float");
        let centred = self.fresh("pixels_centred");
        let cast = i64::from(DataType::Float32.code());
        let mut steps = vec![
            self.node("Cast", &[&levels], &floats, Some(("to", cast.into()))),
            self.node("Sub", &[&floats, &offset], &centred, None),
        ];
        if step.channels_first {
            let scaled = self.fresh("pixels_scaled");
            let permutation = AttributeProto::from(vec![0_i64, 3, 1, 2]);
            steps.push(self.node("Div", &[&centred, &scale], &scaled, None));
            steps.push(self.node("Transpose", &[&scaled], input, Some(("perm", permutation))));
        } else {
            steps.push(self.node("Div", &[&centred, &scale], input, None));
        }
        let graph = self.graph_mut();
        graph.input[position] = info(&levels, DataType::Uint8, pixels);
        graph.node.splice(..0, steps);
        Ok(levels)
    }

    /// Gives out the softmax of output `name` over its second dimension instead; the result's name.
    ///
    /// # Errors
    /// There is no such output.
    pub fn append_softmax(&mut self, name: &str) -> Result<String, ForeignError> {
        let axis = Some(("axis", 1_i64.into()));
        self.append("Softmax", &[name], "probabilities", axis)
    }

    /// Gives out output `name` in another shape instead, -1 for what is left; the result's name.
    ///
    /// # Errors
    /// There is no such output.
    pub fn append_reshape(&mut self, name: &str, shape: &[i64]) -> Result<String, ForeignError> {
        let shape = self.constant("shape", &[shape.len()], shape)?;
        self.append("Reshape", &[name, &shape], "output", None)
    }

    fn append(
        &mut self,
        op: &str,
        inputs: &[&str],
        result: &str,
        attribute: Option<(&str, AttributeProto)>,
    ) -> Result<String, ForeignError> {
        let output = inputs[0];
        let position = self.graph().output.iter().position(|it| it.name == output);
        let position = position.ok_or_else(|| missing("output", output))?;
        let result = self.fresh(result);
        let node = self.node(op, inputs, &result, attribute);
        let graph = self.graph_mut();
        graph.node.push(node);
        // Its shape is for `declare_outputs` to say.
        graph.output[position].name.clone_from(&result);
        graph.output[position].r#type = None;
        Ok(result)
    }

    fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attribute: Option<(&str, AttributeProto)>,
    ) -> NodeProto {
        let attribute = attribute.map(|(name, value)| AttributeProto {
            name: name.to_owned(),
            ..value
        });
        NodeProto {
            name: self.fresh(&format!("{op}_to_{output}")),
            op_type: op.to_owned(),
            input: inputs.iter().map(|&it| it.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute: attribute.into_iter().collect(),
            ..NodeProto::default()
        }
    }

    fn constant<T: Element>(
        &mut self,
        name: &str,
        shape: &[usize],
        data: &[T],
    ) -> Result<String, ForeignError> {
        let name = self.fresh(name);
        let constant = tensor(&name, shape, data).map_err(|error| {
            ForeignError::field(
                format!("constant `{name}`"),
                error.to_string(),
                "one per channel",
            )
        })?;
        self.graph_mut().initializer.push(constant);
        Ok(name)
    }

    /// `name`, or `name` with a number where it is taken; it is taken from now on.
    fn fresh(&mut self, name: &str) -> String {
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let free = names.find(|it| !self.names.contains(it));
        let free = free.expect("there are infinitely many names");
        self.names.insert(free.clone());
        free
    }
}

fn missing(side: &str, name: &str) -> ForeignError {
    let allowed = format!("the name of one of the graph's {side}s");
    ForeignError::field(format!("{side} `{name}`"), "is not in the graph", &allowed)
}
