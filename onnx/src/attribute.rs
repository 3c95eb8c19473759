//! Attribute values: the kinds that the operators here need, as the file's records without a name.

use crate::proto::AttributeProto;
use crate::proto::attribute_proto::AttributeType;

impl From<i64> for AttributeProto {
    fn from(value: i64) -> Self {
        Self {
            r#type: AttributeType::Int.into(),
            i: Some(value),
            ..Self::default()
        }
    }
}

impl From<f32> for AttributeProto {
    fn from(value: f32) -> Self {
        Self {
            r#type: AttributeType::Float.into(),
            f: Some(value),
            ..Self::default()
        }
    }
}

impl From<&str> for AttributeProto {
    fn from(value: &str) -> Self {
        Self {
            r#type: AttributeType::String.into(),
            s: Some(value.into()),
            ..Self::default()
        }
    }
}

impl From<Vec<i64>> for AttributeProto {
    fn from(values: Vec<i64>) -> Self {
        Self {
            r#type: AttributeType::Ints.into(),
            ints: values,
            ..Self::default()
        }
    }
}
