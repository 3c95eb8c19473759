//! What is to be measured: which model, and what it is sent.

use std::{rc::Rc, time::Duration};

use quintet_client::{Client, ErrorKind, ModelInfo, ModelState, Task};
use quintet_proto::inference::model_metadata_response::TensorMetadata;

use super::{
    args::{BenchArgs, Protocol},
    metadata,
    payload::{self, Files, Payload, Pixels, Rpc, Tensor, Texts},
    servers::Servers,
};
use crate::failure::Failure;

/// The requests for the model. The server is asked what it takes, where that is in question.
pub(super) async fn payload(
    client: &Client,
    servers: &Rc<Servers>,
    timeout: Duration,
    args: &BenchArgs,
) -> Result<Payload, Failure> {
    let oip = args.protocol == Protocol::Oip;
    if oip && args.stream {
        let message = "--stream sends a ClassifyStream, which --protocol oip does not have";
        return Err(Failure::usage(message));
    }
    if !oip && args.model.is_none() {
        return choose(&[], args);
    }
    let error = match client.list_models().await {
        Ok(models) => return choose(&models, args),
        Err(error) => error,
    };
    // A server of another make has no ListModels.
    let foreign = oip && *error.kind() == ErrorKind::Unimplemented;
    match &args.model {
        Some(model) if foreign => {
            let inputs = metadata::inputs(Rc::clone(servers), timeout, model).await?;
            let rows = args.rows_per_request.get();
            match Tensor::noise(model, &inputs) {
                Ok(tensor) => Ok(tensor.infer_noise(rows)),
                Err(_) => images_as_tensors(model, &inputs, args),
            }
        }
        None if foreign => Err(Failure::of_call(client.address())(error)
            .hint("a server of another make needs --model NAME")),
        _ => Err(Failure::of_call(client.address())(error)),
    }
}

fn choose(models: &[ModelInfo], args: &BenchArgs) -> Result<Payload, Failure> {
    // The newest version that is ready is what answers; versions come oldest first.
    let model = models.iter().rfind(|it| match &args.model {
        Some(name) => it.name == *name && it.state == ModelState::Ready,
        None => it.is_default && it.task == Task::ImageClassification,
    });
    let name = args.model.as_deref().unwrap_or_default();
    let rows = args.rows_per_request.get();
    let oip = args.protocol == Protocol::Oip;
    match model {
        Some(model) if args.images.is_some() && model.task != Task::ImageClassification => {
            Err(Failure::usage(format!(
                "{} does not classify images; --images is for models that do",
                model.name
            )))
        }
        Some(model) if model.task == Task::TextClassification => {
            if oip || args.stream {
                return Err(Failure::usage(format!(
                    "{} takes texts; --stream and --protocol oip are for images",
                    model.name
                )));
            }
            Ok(Texts::load(args.data_dir.as_deref(), args.mix)?.score(name, rows))
        }
        Some(model) if model.task == Task::ImageGeneration => {
            if args.stream || args.data_dir.is_some() {
                return Err(Failure::usage(format!(
                    "{} makes images; --stream and --data-dir are for models that take some",
                    model.name
                )));
            }
            if oip {
                return Ok(Tensor::noise(&model.name, &inputs(model))?.infer_noise(rows));
            }
            payload::generate(name, rows)
        }
        Some(model) if oip => images_as_tensors(&model.name, &inputs(model), args),
        None if oip => Err(Failure::new(format!("no model {name:?} is ready"))
            .hint("quintet models lists what the server has, and what is ready")),
        // A model that does not exist is sent an image: the server's error says best what it has.
        _ => {
            let rpc = if args.stream {
                Rpc::ClassifyStream
            } else {
                Rpc::Classify
            };
            match &args.images {
                Some(folder) => Ok(Files::load(folder)?.classify(rpc, name, rows)),
                None => Ok(Pixels::load(args.data_dir.as_deref())?.classify(rpc, name, rows)),
            }
        }
    }
}

fn images_as_tensors(
    model: &str,
    inputs: &[TensorMetadata],
    args: &BenchArgs,
) -> Result<Payload, Failure> {
    let tensor = Tensor::pixels(model, inputs)?;
    let pixels = Pixels::load(args.data_dir.as_deref())?;
    Ok(tensor.infer_pixels(&pixels, args.rows_per_request.get()))
}

/// The inputs that a model is listed with.
fn inputs(model: &ModelInfo) -> Vec<TensorMetadata> {
    let inputs = model.inputs.iter().map(|it| TensorMetadata {
        name: it.name.clone(),
        datatype: it.datatype.clone(),
        shape: it.shape.clone(),
    });
    inputs.collect()
}
