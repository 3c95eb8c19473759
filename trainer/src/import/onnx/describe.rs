//! A first draft of the manifest, from what the file says of itself.

use std::fmt::Write as _;

use quintet_bundle::{DataType, Role};
use quintet_onnx::ForeignModel;

use super::longest::{USUAL, longest};
use crate::verify::{LoadedModel, Port};

/// The table, with a mean and deviation for each channel.
fn mean_and_std(channels: usize) -> &'static str {
    if channels == 1 {
        "\
# (level * rescale_factor - mean) / std; leave the table out where the graph takes levels from 0 to
# 255. MNIST's are often 0.1307 and 0.3081: check.
[normalisation]
rescale_factor = 0.00392156862745098
mean = [0.5]
std = [0.5]
"
    } else {
        "\
# (level * rescale_factor - mean) / std, per channel; leave the table out where the graph takes
# levels from 0 to 255. These are ImageNet's; others have 0.5 and 0.5.
[normalisation]
rescale_factor = 0.00392156862745098
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"
    }
}

/// The draft of a manifest for `import onnx --manifest`.
pub(super) fn draft(model: &ForeignModel, file: &mut LoadedModel) -> String {
    let (inputs, outputs) = (file.inputs(), file.outputs());
    let mut text = format!(
        "# A draft for `quintet-trainer import onnx --manifest`. Check every line that says so.\n\
         # The file: graph `{}`, opset {}, written by {}, {} numbers in its constants.\n",
        comment(model.name()),
        model.opset(),
        comment(&model.producer()),
        model.constant_elements(),
    );
    let pixels = inputs.iter().find_map(picture);
    let is_text = pixels.is_none() && inputs.iter().any(is_sequence);
    let task = match pixels {
        Some(_) => "image_classification",
        None if is_text => "text_classification",
        // Of no task of the server: the Open Inference Protocol alone serves it.
        None => "tabular",
    };
    let _ = writeln!(text, "task = \"{task}\"  # check");
    text.push_str(
        "source = \"\"  # where the file comes from\n\
         licence = \"unknown\"  # an SPDX expression, such as Apache-2.0\n",
    );
    let classes = outputs.iter().find_map(classes);
    let classes = classes.map_or("?".to_owned(), |classes| classes.to_string());
    let _ = writeln!(
        text,
        "labels_file = \"labels.txt\"  # {classes} names, one a line; or labels = [\"cat\", ...]"
    );
    let is_multi_label = is_multi_label(&outputs, |name| model.operator_of(name));
    if is_multi_label {
        text.push_str("problem_type = \"multi_label_classification\"  # a guess: check\n");
    }
    if is_text {
        let ports = inputs.iter().map(|port| (port.clone(), input_role(port)));
        let (most, note) = match longest(file, &ports.collect::<Vec<_>>()) {
            Some(most) if most < USUAL => (most, "the graph fails with more"),
            _ => (USUAL, "check"),
        };
        let _ = write!(
            text,
            "tokenizer = \"tokenizer.json\"  # beside this file\n\n\
             [preprocessing]\nkind = \"text\"\n\
             max_tokens = {most}  # {note}\ntruncation_side = \"right\"\n\
             add_special_tokens = true\npad_token_id = 0  # check\n",
        );
    }
    if let Some(Picture {
        height,
        width,
        channels,
        ..
    }) = pixels
    {
        let (name, note) = if channels == 1 {
            ("grey", "")
        } else {
            ("rgb", "  # or bgr: check")
        };
        // 256 of 224 pixels, as most networks of ImageNet have it.
        let shorter = height.max(width) * 8 / 7;
        let _ = write!(
            text,
            "\n[preprocessing]\nkind = \"image\"\nwidth = {width}\nheight = {height}\n\
             channels = \"{name}\"{note}\n\
             # Or {{ squash = {{ filter = \"bilinear\" }} }}: the whole picture, its aspect ratio lost.\n\
             fit = {{ crop = {{ shorter_side = {shorter}, filter = \"bilinear\" }} }}  # check\n\n"
        );
        if inputs
            .iter()
            .any(|port| port.datatype == Some(DataType::Float32))
        {
            text.push_str(mean_and_std(channels));
        }
    }
    for port in &inputs {
        push(&mut text, "inputs", port, input_role(port), None);
    }
    for port in &outputs {
        let operator = model.operator_of(&port.name);
        push(
            &mut text,
            "outputs",
            port,
            output_role(port, operator, is_multi_label),
            operator,
        );
    }
    text
}

/// A text of the file as it can stand in a comment: without a control character or a new line.
fn comment(text: &str) -> String {
    let escaped = |it: char| -> String {
        if it.is_control() {
            it.escape_default().collect()
        } else {
            it.to_string()
        }
    };
    text.chars().map(escaped).collect()
}

/// The size of an input of pixels.
struct Picture {
    height: usize,
    width: usize,
    channels: usize,
}

fn picture(port: &Port) -> Option<Picture> {
    let (height, width, channels) = match port.shape[..] {
        [_, Some(channels @ (1 | 3)), Some(height), Some(width)]
        | [_, Some(height), Some(width), Some(channels @ (1 | 3))] => (height, width, channels),
        // A file of open lengths says only where its channels are.
        [_, Some(channels @ (1 | 3)), None, None] | [_, None, None, Some(channels @ (1 | 3))] => {
            (224, 224, channels)
        }
        _ => return None,
    };
    Some(Picture {
        height,
        width,
        channels,
    })
}

fn classes(port: &Port) -> Option<usize> {
    match port.shape[..] {
        [_, Some(classes)] | [_, Some(classes), Some(1), Some(1)] => Some(classes),
        _ => None,
    }
}

/// Whether it is integers of each row's own length, as tokens are.
fn is_sequence(port: &Port) -> bool {
    let is_integer = matches!(port.datatype, Some(DataType::Int32 | DataType::Int64));
    let is_open = matches!(port.shape[..], [_, None]);
    input_role(port) == Some(Role::Tokens) || is_integer && is_open
}

fn input_role(port: &Port) -> Option<Role> {
    let name = port.name.to_lowercase();
    let has = |part: &str| name.contains(part);
    let is_integer = matches!(port.datatype, Some(DataType::Int32 | DataType::Int64));
    match port.shape.len() {
        3 | 4 if picture(port).is_some() => Some(Role::Pixels),
        2 if has("mask") => Some(Role::AttentionMask),
        // Where a token stands, which the server does not give.
        2 if has("position") => None,
        2 if has("type") || has("segment") => Some(Role::TokenTypeIds),
        // Two integers of a row may be anything.
        2 if is_integer && (has("ids") || has("token")) => Some(Role::Tokens),
        2 if is_integer && has("id") && port.shape[1].is_none() => Some(Role::Tokens),
        1 if is_integer && has("length") => Some(Role::Lengths),
        _ => None,
    }
}

/// Whether the outputs are a probability of each label by itself.
fn is_multi_label<'o>(outputs: &[Port], operator: impl Fn(&str) -> Option<&'o str>) -> bool {
    let classes = outputs.iter().filter(|port| classes(port).is_some());
    let operators: Vec<_> = classes.filter_map(|port| operator(&port.name)).collect();
    operators.contains(&"Sigmoid") && !operators.contains(&"Softmax")
}

fn output_role(port: &Port, operator: Option<&str>, is_multi_label: bool) -> Option<Role> {
    let is_score = port.shape.len() == 1 && port.name.eq_ignore_ascii_case("score");
    if is_score && port.datatype == Some(DataType::Float32) {
        return Some(Role::Score);
    }
    // No logits, and probabilities only where the manifest says that they do not sum to 1.
    if operator == Some("Sigmoid") {
        return classes(port)
            .filter(|_| is_multi_label)
            .map(|_| Role::Probabilities);
    }
    let is_distribution = operator == Some("Softmax") || port.name.contains("prob");
    classes(port).map(|_| {
        if is_distribution {
            Role::Probabilities
        } else {
            Role::Logits
        }
    })
}

fn push(text: &mut String, side: &str, port: &Port, role: Option<Role>, operator: Option<&str>) {
    let _ = write!(text, "\n[[{side}]]");
    if let Some(operator) = operator {
        let _ = write!(
            text,
            "  # made by {}; leave out what is not to be served",
            comment(operator)
        );
    }
    let name = toml::Value::String(port.name.clone());
    let _ = writeln!(text, "\nname = {name}");
    match role {
        Some(role) => {
            let _ = writeln!(text, "role = \"{role}\"  # a guess: check");
        }
        None => text.push_str("# role: none was guessed; see the roles in the documentation\n"),
    }
    if let Some(datatype) = port.datatype {
        let _ = writeln!(text, "datatype = \"{datatype}\"");
    } else {
        let found = comment(&port.type_name);
        let _ = writeln!(text, "# datatype: {found} cannot be served");
    }
    let symbols = ["N", "L", "M", "K"]
        .into_iter()
        .chain(std::iter::repeat("X"));
    let is_picture = role == Some(Role::Pixels);
    let dims = port
        .shape
        .iter()
        .zip(symbols)
        .enumerate()
        .map(|(index, (dim, symbol))| match dim {
            Some(size) => size.to_string(),
            None if is_picture && index > 0 => "224".to_owned(),
            None => format!("\"{symbol}\""),
        });
    let _ = writeln!(text, "shape = [{}]", dims.collect::<Vec<_>>().join(", "));
    if role == Some(Role::Logits) {
        text.push_str("softmax = false  # true: the bundle gives probabilities\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, shape: &[Option<usize>]) -> Port {
        Port {
            name: name.to_owned(),
            type_name: String::new(),
            datatype: Some(DataType::Float32),
            shape: shape.to_vec(),
        }
    }

    #[test]
    fn a_sigmoid_makes_no_logits() {
        let outputs = [port("a", &[None, Some(3)]), port("b", &[None, Some(3)])];
        let sigmoid = |name: &str| (name == "a").then_some("Sigmoid");
        let both = |name: &str| Some(if name == "a" { "Sigmoid" } else { "Softmax" });
        assert!(is_multi_label(&outputs, sigmoid));
        assert!(!is_multi_label(&outputs, both));
        assert!(!is_multi_label(&outputs, |_| Some("Gemm")));
        let role = |operator, is_multi_label| output_role(&outputs[0], operator, is_multi_label);
        assert_eq!(role(Some("Sigmoid"), true), Some(Role::Probabilities));
        assert_eq!(role(Some("Sigmoid"), false), None);
        assert_eq!(role(Some("Softmax"), false), Some(Role::Probabilities));
        assert_eq!(role(Some("Gemm"), false), Some(Role::Logits));
    }

    #[test]
    fn positions_are_no_tokens() {
        let role = |name| {
            let mut port = port(name, &[None, None]);
            port.datatype = Some(DataType::Int64);
            input_role(&port)
        };
        assert_eq!(role("input_ids"), Some(Role::Tokens));
        assert_eq!(role("position_ids"), None);
    }

    #[test]
    fn a_score_is_known_by_its_name() {
        let role = |port: &Port| output_role(port, Some("Sigmoid"), false);
        assert_eq!(role(&port("score", &[None])), Some(Role::Score));
        assert_eq!(role(&port("other", &[None])), None);
        let mut integers = port("score", &[None]);
        integers.datatype = Some(DataType::Int64);
        assert_eq!(role(&integers), None);
    }
}
