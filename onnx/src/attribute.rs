//! Attribute values: the kinds that the operators here need, as the file's records without a name.

use crate::proto::AttributeProto;
use crate::proto::attribute_proto::AttributeType;

macro_rules! attribute {
    ($rust:ty, $kind:ident, $field:ident) => {
        impl From<$rust> for AttributeProto {
            fn from(value: $rust) -> Self {
                Self {
                    r#type: AttributeType::$kind.into(),
                    $field: value.into(),
                    ..Self::default()
                }
            }
        }
    };
}

attribute!(i64, Int, i);
attribute!(f32, Float, f);
attribute!(Vec<u8>, String, s);
attribute!(Vec<i64>, Ints, ints);
