//! A finished model.

use prost::Message as _;

use crate::proto::ModelProto;
use crate::text;

/// The operator set of every model: ONNX 1.12's.
pub const OPSET: i64 = 17;

/// The file format of every model, the one that came with opset 17.
pub const IR_VERSION: i64 = 8;

/// The program named in every model.
pub const PRODUCER: &str = "quintet";

/// A checked model, ready to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Model(pub(crate) ModelProto);

impl Model {
    /// The bytes of an `.onnx` file. The same graph gives the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// One line for each input, initializer, node and output, for people and snapshots.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::model(&self.0)
    }

    /// The messages as they are written.
    #[must_use]
    pub fn proto(&self) -> &ModelProto {
        &self.0
    }
}
