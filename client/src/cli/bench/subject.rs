//! What is to be measured: which model, and what it is sent.

use std::time::Duration;

use quintet_client::{Client, ErrorKind, ModelInfo, ModelState, Task};
use quintet_proto::inference::model_metadata_response::TensorMetadata;

use super::{
    args::{BenchArgs, Protocol},
    metadata,
    payload::{self, Noise, Payload, Pixels, Rpc, Tensor, Texts},
};
use crate::failure::Failure;

/// A model and what it takes.
#[derive(Debug)]
pub(super) enum Subject {
    Images { rpc: Rpc, model: String },
    Tensor(Tensor),
    Texts { model: String },
    Digits { model: String },
    Noise(Noise),
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

// === impl Subject ===

impl Subject {
    /// Asks the server what the model takes, where that is in question.
    pub(super) async fn find(
        client: &Client,
        timeout: Duration,
        args: &BenchArgs,
    ) -> Result<Self, Failure> {
        let oip = args.protocol == Protocol::Oip;
        if oip && args.stream {
            let message = "--stream sends a ClassifyStream, which --protocol oip does not have";
            return Err(Failure::usage(message));
        }
        if !oip && args.model.is_none() {
            return Self::choose(&[], args);
        }
        match (client.list_models().await, &args.model) {
            (Ok(models), _) => Self::choose(&models, args),
            (Err(error), Some(model)) if oip && *error.kind() == ErrorKind::Unimplemented => {
                // None of ours.
                let inputs = metadata::inputs(client.address(), timeout, model).await?;
                let noise = Noise::of(model, &inputs).map(Self::Noise);
                noise.or_else(|_| Tensor::of(model, &inputs).map(Self::Tensor))
            }
            (Err(error), None) if *error.kind() == ErrorKind::Unimplemented => {
                let failure = Failure::of_call(&error, client.address());
                Err(failure.hint("a server of another make needs --model NAME"))
            }
            (Err(error), _) => Err(Failure::of_call(&error, client.address())),
        }
    }

    fn choose(models: &[ModelInfo], args: &BenchArgs) -> Result<Self, Failure> {
        let name = args.model.clone().unwrap_or_default();
        // The newest version that is ready is what answers; versions come oldest first.
        let model = models.iter().rfind(|it| match &args.model {
            Some(name) => it.name == *name && it.state == ModelState::Ready,
            None => it.is_default && it.task == Task::ImageClassification,
        });
        let oip = args.protocol == Protocol::Oip;
        match model {
            Some(model) if model.task == Task::TextClassification => {
                if oip || args.stream {
                    return Err(Failure::usage(format!(
                        "{} takes texts; --stream and --protocol oip are for images",
                        model.name
                    )));
                }
                Ok(Self::Texts { model: name })
            }
            Some(model) if model.task == Task::ImageGeneration => {
                if args.stream || args.data_dir.is_some() {
                    return Err(Failure::usage(format!(
                        "{} makes images; --stream and --data-dir are for models that take some",
                        model.name
                    )));
                }
                if oip {
                    return Ok(Self::Noise(Noise::of(&model.name, &inputs(model))?));
                }
                Ok(Self::Digits { model: name })
            }
            Some(model) if oip => Ok(Self::Tensor(Tensor::of(&model.name, &inputs(model))?)),
            None if oip => Err(Failure::new(format!("no model {name:?} is ready"))
                .hint("quintet models lists what the server has, and what is ready")),
            // A model that there is not is sent an image: the server says best what it has.
            _ => Ok(Self::Images {
                rpc: if args.stream {
                    Rpc::ClassifyStream
                } else {
                    Rpc::Classify
                },
                model: name,
            }),
        }
    }

    /// The requests for it.
    pub(super) fn payload(&self, args: &BenchArgs) -> Result<Payload, Failure> {
        let rows = args.rows_per_request.get();
        let pixels = || match &args.data_dir {
            Some(data_dir) => Pixels::mnist(data_dir),
            None => Ok(Pixels::random()),
        };
        Ok(match self {
            Self::Images { rpc, model } => pixels()?.classify(*rpc, model, rows),
            Self::Tensor(tensor) => pixels()?.infer(tensor, rows),
            Self::Texts { model } => match &args.data_dir {
                Some(data_dir) => Texts::imdb(data_dir, args.mix)?,
                None => Texts::generated(args.mix),
            }
            .score(model, rows),
            Self::Digits { model } => payload::generate(model, rows)?,
            Self::Noise(noise) => noise.infer(rows),
        })
    }
}
