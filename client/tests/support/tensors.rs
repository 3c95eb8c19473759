//! `ModelInfer` and `ModelMetadata` of the scripted server: a classifier of ten classes, and a generator.

use quintet_proto::inference::{
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse,
    grpc_inference_service_server::GrpcInferenceService, model_infer_response::InferOutputTensor,
    model_metadata_response::TensorMetadata,
};
use tonic::{Request, Response, Status};

pub(super) struct Tensors;

#[tonic::async_trait]
impl GrpcInferenceService for Tensors {
    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        let name = request.into_inner().name;
        let (input, datatype, shape) = match &*name {
            "mlp" => ("pixels", "UINT8", vec![-1, 28, 28]),
            "gan" => ("noise", "FP32", vec![-1, 100]),
            "lstm" => ("tokens", "INT64", vec![-1, -1]),
            _ => return Err(Status::not_found("no such model")),
        };
        Ok(Response::new(ModelMetadataResponse {
            name,
            inputs: vec![TensorMetadata {
                name: input.into(),
                datatype: datatype.into(),
                shape,
            }],
            ..ModelMetadataResponse::default()
        }))
    }

    async fn model_infer(
        &self,
        request: Request<ModelInferRequest>,
    ) -> Result<Response<ModelInferResponse>, Status> {
        let request = request.into_inner();
        let input = &request.inputs[0];
        let rows = input.shape[0];
        let (size, name, datatype, shape) = match (&*input.name, &*input.datatype) {
            ("pixels", "UINT8") => (1, "probabilities", "FP32", vec![rows, 10]),
            ("noise", "FP32") => (4, "pixels", "UINT8", vec![rows, 28, 28]),
            _ => return Err(Status::invalid_argument("another tensor")),
        };
        let elements: i64 = input.shape.iter().product();
        if request.raw_input_contents[0].len() as i64 != elements * size {
            return Err(Status::invalid_argument("another length"));
        }
        Ok(Response::new(ModelInferResponse {
            model_name: request.model_name,
            model_version: "2".into(),
            outputs: vec![InferOutputTensor {
                name: name.into(),
                datatype: datatype.into(),
                shape,
                ..InferOutputTensor::default()
            }],
            ..ModelInferResponse::default()
        }))
    }
}
