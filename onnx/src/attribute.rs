//! Attribute values.

use crate::proto::AttributeProto;
use crate::proto::attribute_proto::AttributeType;

/// The kinds of attribute that the operators here need.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AttributeValue {
    Int(i64),
    Float(f32),
    String(String),
    Ints(Vec<i64>),
}

// === impl AttributeValue ===

impl AttributeValue {
    /// The file's record of the attribute.
    pub(crate) fn into_proto(self, name: &str) -> AttributeProto {
        let mut proto = AttributeProto {
            name: name.to_owned(),
            ..AttributeProto::default()
        };
        match self {
            Self::Int(value) => {
                proto.set_type(AttributeType::Int);
                proto.i = Some(value);
            }
            Self::Float(value) => {
                proto.set_type(AttributeType::Float);
                proto.f = Some(value);
            }
            Self::String(value) => {
                proto.set_type(AttributeType::String);
                proto.s = Some(value.into_bytes());
            }
            Self::Ints(values) => {
                proto.set_type(AttributeType::Ints);
                proto.ints = values;
            }
        }
        proto
    }
}

impl From<i64> for AttributeValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<f32> for AttributeValue {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for AttributeValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<Vec<i64>> for AttributeValue {
    fn from(values: Vec<i64>) -> Self {
        Self::Ints(values)
    }
}
