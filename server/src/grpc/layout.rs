//! Which fields of a request hold messages, by the descriptors of our protocols.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};

/// The fields of a message that hold messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout(&'static [(u32, usize)]);

/// Of every message, by its place, the numbers of such fields and the places of what they hold.
#[derive(Debug, Default)]
struct Layouts {
    messages: Vec<Vec<(u32, usize)>>,
    /// The place of each call's request, by `/package.Service/Method`.
    requests: HashMap<String, usize>,
}

static LAYOUTS: LazyLock<Layouts> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(quintet_proto::FILE_DESCRIPTOR_SET);
    Layouts::of(&files.expect("the descriptor set is generated"))
});

impl Layout {
    /// Of the request of this call. Nothing is known of a call that is in none of our protocols.
    pub(super) fn of_request(path: &str) -> Self {
        let place = LAYOUTS.requests.get(path);
        Self(place.map_or(&[], |place| &LAYOUTS.messages[*place]))
    }

    /// Of the message in field `tag`; `None`: it holds no message.
    pub(super) fn field(self, tag: u32) -> Option<Self> {
        let mut fields = self.0.iter();
        let (_, place) = fields.find(|(number, _)| *number == tag)?;
        Some(Self(&LAYOUTS.messages[*place]))
    }
}

impl Layouts {
    fn of(files: &FileDescriptorSet) -> Self {
        let mut messages = Vec::new();
        for file in &files.file {
            list(
                &format!(".{}", file.package()),
                &file.message_type,
                &mut messages,
            );
        }
        let names = messages.iter().map(|(name, _)| name.as_str()).zip(0..);
        let places: HashMap<&str, usize> = names.collect();
        let fields = |message: &DescriptorProto| {
            let fields = message.field.iter();
            let fields = fields.filter(|field| field.r#type() == Type::Message);
            let nested = |field: &prost_types::FieldDescriptorProto| {
                Some((field.number() as u32, *places.get(field.type_name())?))
            };
            fields.filter_map(nested).collect()
        };
        let mut requests = HashMap::new();
        for file in &files.file {
            for service in &file.service {
                for method in &service.method {
                    let (package, service) = (file.package(), service.name());
                    let path = format!("/{package}.{service}/{}", method.name());
                    if let Some(place) = places.get(method.input_type()) {
                        requests.insert(path, *place);
                    }
                }
            }
        }
        Self {
            messages: messages
                .iter()
                .map(|(_, message)| fields(message))
                .collect(),
            requests,
        }
    }
}

/// Every message below `scope` with its full name.
fn list<'a>(
    scope: &str,
    messages: &'a [DescriptorProto],
    into: &mut Vec<(String, &'a DescriptorProto)>,
) {
    for message in messages {
        let name = format!("{scope}.{}", message.name());
        list(&name, &message.nested_type, into);
        into.push((name, message));
    }
}
