//! The configuration file: each of its options is read as the argument that says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use serde::Deserialize;
use toml::{Table, Value};

use super::value::{Origin, in_file};
use super::{BatchingOptions, ConfigError};

/// The file's tables.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    #[serde(skip)]
    path: PathBuf,
    #[serde(default)]
    batching: Table,
    #[serde(default)]
    models: BTreeMap<String, Table>,
    #[serde(flatten)]
    options: Table,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| in_file(path, &error.to_string()))?;
        let mut file: Self =
            toml::from_str(&text).map_err(|error| in_file(path, &error.to_string()))?;
        path.clone_into(&mut file.path);
        Ok(file)
    }

    /// The options for all models as arguments, without those that are `given` otherwise.
    pub(super) fn arguments(
        &self,
        command: &Command,
        given: &ArgMatches,
    ) -> Result<Vec<OsString>, ConfigError> {
        let batching = BatchingOptions::augment_args(Command::new(""));
        let batching = names(&batching);
        let mut others = &names(command) - &batching;
        others.remove("config");
        let mut arguments = self.flags(&self.options, &others)?;
        arguments.extend(self.flags(&self.batching, &batching)?);
        arguments.retain(|name, _| !is_given(given, name));
        Ok(arguments.into_values().collect())
    }

    /// The batching of the models that have a table of their own, which wins over what is said
    /// `of_all`.
    pub(super) fn models(
        &self,
        of_all: &ArgMatches,
    ) -> Result<BTreeMap<String, BatchingOptions>, ConfigError> {
        let command = BatchingOptions::augment_args(Command::new(""));
        let names = names(&command);
        let model = |(model, table): (&String, &Table)| {
            let mut arguments = self.flags(table, &names)?;
            for &name in &names {
                let mut values = of_all.get_raw(name).into_iter().flatten();
                if let Some(value) = values.next() {
                    arguments.entry(name).or_insert_with(|| flag(name, value));
                }
            }
            let arguments: Vec<OsString> = [OsString::new()]
                .into_iter()
                .chain(arguments.into_values())
                .collect();
            let origin = Origin::Model(&self.path, model);
            let matches = origin.parse(command.clone(), &arguments)?;
            let options = BatchingOptions::from_arg_matches(&matches);
            Ok((model.clone(), options.expect("every option was parsed")))
        };
        self.models.iter().map(model).collect()
    }

    /// A table's options as flags, by their names.
    fn flags<'a>(
        &self,
        table: &'a Table,
        known: &BTreeSet<&str>,
    ) -> Result<BTreeMap<&'a str, OsString>, ConfigError> {
        let flag = |(name, value): (&'a String, &Value)| {
            if !known.contains(name.as_str()) {
                let known: Vec<_> = known.iter().copied().collect();
                let known = known.join(", ");
                let problem = format!("unknown option `{name}`; there are {known}");
                return Err(in_file(&self.path, &problem));
            }
            let text = text(value).ok_or_else(|| {
                let kind = value.type_str();
                let problem = format!("{name} is a {kind}; a text, an integer or a list is needed");
                in_file(&self.path, &problem)
            })?;
            Ok((name.as_str(), flag(name, text.as_ref())))
        };
        table.iter().map(flag).collect()
    }
}

/// The options' names, as they stand in the file.
fn names(command: &Command) -> BTreeSet<&str> {
    let arguments = command.get_arguments();
    arguments
        .map(|argument| argument.get_id().as_str())
        .collect()
}

fn is_given(matches: &ArgMatches, name: &str) -> bool {
    let source = matches.value_source(name);
    source.is_some_and(|source| source != ValueSource::DefaultValue)
}

fn flag(name: &str, value: &std::ffi::OsStr) -> OsString {
    let mut flag = OsString::from(format!("--{}=", name.replace('_', "-")));
    flag.push(value);
    flag
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Array(values) => {
            let texts: Option<Vec<_>> = values.iter().map(text).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}
