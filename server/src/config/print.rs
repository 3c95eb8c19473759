//! The configuration as the server takes it: every option, its value, and where that comes from.

use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use toml::Value;

use super::file::{File, ONLY_FLAGS, batching, is_number, options};

/// Writes it as a file for `--config`. `given` has what flags and variables say, `matches` what the
/// file says beside it.
pub(super) fn print(
    command: &Command,
    given: &ArgMatches,
    matches: &ArgMatches,
    file: Option<&File>,
) -> String {
    let batching = batching();
    let batching = options(&batching);
    let place = file.map(|file| file.path.display().to_string());
    let source = |name: &str| match (given.value_source(name), matches.value_source(name)) {
        (Some(ValueSource::CommandLine), _) => "flag".to_owned(),
        (Some(ValueSource::EnvVariable), _) => format!("QUINTET_{}", name.to_uppercase()),
        (_, Some(ValueSource::CommandLine)) => place.clone().unwrap_or_default(),
        _ => "default".to_owned(),
    };
    let (mut text, mut table) = (String::new(), "\n[batching]\n".to_owned());
    for argument in command.get_arguments() {
        let name = argument.get_id().as_str();
        if ONLY_FLAGS.contains(&name) {
            continue;
        }
        let text = if batching.contains_key(name) {
            &mut table
        } else {
            &mut text
        };
        let line = match value(argument, matches) {
            Some(value) => format!("{name} = {value} # {}", source(name)),
            None => format!("# {name} is not set{}", instead(argument)),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str(&table);
    for (model, options) in file.iter().flat_map(|file| &file.models) {
        let model = Value::String(model.clone());
        // Text takes all that is written.
        let _ = write!(text, "\n[models.{model}]\n{options}");
    }
    text
}

/// An option's value as TOML; `None`: it has none.
fn value(argument: &Arg, matches: &ArgMatches) -> Option<String> {
    let values = matches.get_raw(argument.get_id().as_str())?;
    let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
    let value = values.join(",");
    Some(if is_number(argument) {
        value
    } else {
        Value::String(value).to_string()
    })
}

/// What the server takes if the option is not set, by its help.
fn instead(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let instead = help.rsplit_once("[default: ");
    let instead = instead.and_then(|(_, rest)| rest.split_once(']'));
    instead.map_or_else(String::new, |(instead, _)| format!(": {instead}"))
}
