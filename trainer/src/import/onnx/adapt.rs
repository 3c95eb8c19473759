//! From a file and what the user says of it to the bundle's graph and signature.

use quintet_bundle::{DataType, Dim, ProblemType, Role, TensorSpec};
use quintet_onnx::ForeignModel;

use super::manifest::{ImportManifest, Tensor};
use super::normalisation::Normalised;
use crate::error::Error;
use crate::export;
use crate::verify::Port;

/// The symbol of a batch's length.
const BATCH: &str = "N";

/// A graph that a bundle can hold, and how it differs from the file's.
#[derive(Debug)]
pub(super) struct Adapted {
    /// The graph.
    pub model: ForeignModel,
    /// What it takes, in its order.
    pub inputs: Vec<TensorSpec>,
    /// What it gives, in its order.
    pub outputs: Vec<TensorSpec>,
    /// The most rows in one run.
    pub max_batch_size: Option<usize>,
    /// The file's input of pixels, where the graph normalises it.
    pub normalised: Option<Normalised>,
    /// For each output: the file's output that it is made of.
    pub sources: Vec<Source>,
}

/// The file's output that an output is made of.
#[derive(Debug)]
pub(super) struct Source {
    /// Its name.
    pub name: String,
    /// Whether the bundle gives its softmax.
    pub softmax: bool,
}

/// Adapts `model`, whose inputs and outputs ONNX Runtime sees as `ports` and `given`.
pub(super) fn adapt(
    mut model: ForeignModel,
    manifest: &ImportManifest,
    (ports, given): (&[Port], &[Port]),
) -> Result<Adapted, Error> {
    let is_single = fixed_batch(ports)?;
    let max_batch_size = if is_single {
        Some(1)
    } else {
        manifest.max_batch_size
    };
    let declared = |shape: &[Dim]| {
        let batch = if is_single { 1.into() } else { BATCH.into() };
        let dims: Vec<Dim> = std::iter::once(batch)
            .chain(shape[1..].iter().cloned())
            .collect();
        export::shape(&dims)
    };
    let names: Vec<String> = model.inputs().map(str::to_owned).collect();
    for tensor in &manifest.inputs {
        let TensorSpec {
            datatype, shape, ..
        } = spec("inputs", tensor, ports)?;
        model.declare_input(&tensor.name, export::datatype(datatype), &declared(&shape))?;
    }
    let mut inputs = Vec::new();
    let mut normalised = None;
    for name in &names {
        let tensor = manifest.inputs.iter().find(|it| it.name == *name);
        let tensor = tensor.ok_or_else(|| {
            let allowed = "every input of the file must be in the manifest";
            Error::Usage(format!("inputs: without `{name}`; {allowed}"))
        })?;
        let mut spec = spec("inputs", tensor, ports)?;
        if let (Some(table), Some(Role::Pixels)) = (&manifest.normalisation, tensor.role) {
            let image = table.image(manifest.preprocessing.as_ref())?;
            let step = table.step(&image, &spec)?;
            spec.datatype = DataType::Uint8;
            spec.shape = vec![
                BATCH.into(),
                image.height.into(),
                image.width.into(),
                image.channels.count().into(),
            ];
            spec.name = model.normalise(name, &declared(&spec.shape), &step)?;
            normalised = Some(Normalised {
                name: name.clone(),
                levels: spec.name.clone(),
                step,
            });
        }
        inputs.push(spec);
    }
    if manifest.normalisation.is_some() && normalised.is_none() {
        let problem = "normalisation: is given; an input of role pixels is needed for it";
        return Err(Error::Usage(problem.to_owned()));
    }
    let (mut outputs, mut sources) = (Vec::new(), Vec::new());
    for tensor in &manifest.outputs {
        let spec = spec("outputs", tensor, given)?;
        outputs.push(output(&mut model, (tensor, spec), manifest.problem_type)?);
        sources.push(Source {
            name: tensor.name.clone(),
            softmax: tensor.softmax,
        });
    }
    let shapes = outputs.iter().map(|spec| {
        let datatype = export::datatype(spec.datatype);
        (spec.name.as_str(), datatype, declared(&spec.shape))
    });
    model.declare_outputs(&shapes.collect::<Vec<_>>())?;
    Ok(Adapted {
        model,
        inputs,
        outputs,
        max_batch_size,
        normalised,
        sources,
    })
}

/// Whether the file fixes its batch to one row.
fn fixed_batch(ports: &[Port]) -> Result<bool, Error> {
    let mut is_single = false;
    for Port { name, shape, .. } in ports {
        match shape.first() {
            Some(None) => {}
            Some(Some(1)) => is_single = true,
            first => {
                let found = first.map_or("no dimension".to_owned(), |first| {
                    format!("a batch of {}", first.unwrap_or_default())
                });
                let allowed = "an open batch, or one of 1, is allowed";
                return Err(Error::Usage(format!(
                    "input `{name}`: has {found}; {allowed}"
                )));
            }
        }
    }
    Ok(is_single)
}

/// The type of a tensor, of which the manifest must say what the file says.
fn check(side: &str, tensor: &Tensor, ports: &[Port]) -> Result<DataType, Error> {
    let name = &tensor.name;
    let Some(port) = ports.iter().find(|port| port.name == *name) else {
        let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
        let problem = format!(
            "{side}.name: is `{name}`; the file has {}",
            names.join(", ")
        );
        return Err(Error::Usage(problem));
    };
    let file = &port.type_name;
    let refuse = |problem: String| Error::Usage(format!("{side}.{name}.datatype: {problem}"));
    if port.datatype.is_none() {
        let allowed = "UINT8, INT32, INT64 and FP32 can be served";
        return Err(refuse(format!("is {file} in the file; {allowed}")));
    }
    let missing = || refuse(format!("is missing; the file has {file}"));
    let found = tensor.datatype.ok_or_else(missing)?;
    if port.datatype != Some(found) {
        return Err(refuse(format!("is {found}; the file has {file}")));
    }
    let fits = |(dim, length): (&Dim, &Option<usize>)| match (dim, length) {
        (_, None) => true,
        (Dim::Fixed(size), Some(length)) => size == length,
        (Dim::Symbol(_), Some(_)) => false,
    };
    let (shape, file) = (&tensor.shape, &port.shape);
    // ONNX Runtime tells no shape of a value whose rank is open.
    if file.is_empty() || shape.len() == file.len() && shape.iter().zip(file).all(fits) {
        return Ok(found);
    }
    let open = |dim: &Option<usize>| dim.map_or("?".to_owned(), |size| size.to_string());
    let file: Vec<String> = file.iter().map(open).collect();
    let found = TensorSpec::new(name, found, &shape[..]).shape_text();
    let file = file.join(", ");
    Err(Error::Usage(format!(
        "{side}.{name}.shape: is {found}; the file has [{file}]"
    )))
}

/// The tensor as the bundle's manifest has it, if the file has it, too.
fn spec(side: &str, tensor: &Tensor, ports: &[Port]) -> Result<TensorSpec, Error> {
    let datatype = check(side, tensor, ports)?;
    let mut spec = TensorSpec::new(&tensor.name, datatype, &tensor.shape[..]);
    spec.role = tensor.role;
    let found = spec.shape_text();
    let Some(first @ (Dim::Symbol(_) | Dim::Fixed(1))) = spec.shape.first_mut() else {
        let allowed = format!("the first dimension must be the batch's, \"{BATCH}\" or 1");
        let field = format!("{}.shape", tensor.name);
        return Err(Error::Usage(format!("{field}: is {found}; {allowed}")));
    };
    *first = BATCH.into();
    Ok(spec)
}

/// An output in the shape of its role, after its softmax where one is wanted.
fn output(
    model: &mut ForeignModel,
    (tensor, mut spec): (&Tensor, TensorSpec),
    problem: ProblemType,
) -> Result<TensorSpec, Error> {
    let made = model.operator_of(&tensor.name).unwrap_or_default();
    let is_probability = matches!(made, "Softmax" | "Sigmoid");
    // The server would compute the softmax or the sigmoid a second time. The numbers of a
    // regression are served as they are.
    if spec.role == Some(Role::Logits) && is_probability && problem != ProblemType::Regression {
        let field = format!("outputs.{}.role", tensor.name);
        let problem = format!("is logits, and the file makes them by {made}");
        let allowed = "probabilities, of multi_label_classification by Sigmoid, or score";
        return Err(Error::Usage(format!("{field}: {problem}; {allowed}")));
    }
    let is_row = matches!(spec.role, Some(Role::Logits | Role::Probabilities));
    if let (true, [_, Dim::Fixed(classes), rest @ ..]) = (is_row, &spec.shape[..])
        && !rest.is_empty()
        && rest.iter().all(|dim| *dim == Dim::Fixed(1))
    {
        spec.name = model.append_reshape(&spec.name, &[-1, *classes as i64])?;
        spec.shape.truncate(2);
    }
    if let (Some(Role::Score), [_, Dim::Fixed(1)]) = (spec.role, &spec.shape[..]) {
        spec.name = model.append_reshape(&spec.name, &[-1])?;
        spec.shape.truncate(1);
    }
    if tensor.softmax {
        if problem != ProblemType::SingleLabelClassification {
            let field = format!("outputs.{}.softmax", tensor.name);
            let allowed = "only labels of single_label_classification exclude each other";
            return Err(Error::Usage(format!("{field}: is true; {allowed}")));
        }
        if spec.role != Some(Role::Logits) || spec.shape.len() != 2 {
            let field = format!("outputs.{}.softmax", tensor.name);
            let allowed = "only an output [N, classes] of role logits has one";
            return Err(Error::Usage(format!("{field}: is true; {allowed}")));
        }
        spec.name = model.append_softmax(&spec.name)?;
        spec.role = Some(Role::Probabilities);
    }
    Ok(spec)
}
