//! The configuration file: each of its options is read as the flag that says the same.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use serde::Deserialize;
use toml::de::DeTable;
use toml::{Table, Value};

use super::{ConfigError, parse};
use crate::batching::Settings;
use crate::value_parser::at_least_one;

/// What a file cannot say.
pub(super) const ONLY_FLAGS: [&str; 2] = ["config", "print_config"];

/// The file's tables.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    #[serde(skip)]
    pub(super) path: PathBuf,
    #[serde(skip)]
    text: String,
    #[serde(default)]
    batching: Table,
    #[serde(default)]
    pub(super) models: BTreeMap<String, Table>,
    #[serde(flatten)]
    options: Table,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let broken = |error: &dyn ToString| {
            let problem = format!("{}: {}", path.display(), error.to_string());
            ConfigError::new("config", problem)
        };
        let text = std::fs::read_to_string(path).map_err(|error| broken(&error))?;
        let file = toml::from_str(&text).map_err(|error| broken(&error))?;
        let path = path.to_owned();
        Ok(Self { path, text, ..file })
    }

    /// The options for all models as flags, without those that are `given` otherwise.
    pub(super) fn flags(
        &self,
        command: &Command,
        given: &ArgMatches,
    ) -> Result<Vec<OsString>, ConfigError> {
        let batching = batching();
        let batching = options(&batching);
        let mut others = options(command);
        others.retain(|name, _| !ONLY_FLAGS.contains(name) && !batching.contains_key(name));
        let mut flags = self.table("", &self.options, &others)?;
        flags.extend(self.table("batching.", &self.batching, &batching)?);
        flags.retain(|name, _| given.value_source(name) <= Some(ValueSource::DefaultValue));
        Ok(flags.into_values().collect())
    }

    /// The batching of the models that have a table of their own, which wins over that of all
    /// models.
    pub(super) fn models(
        &self,
        all: &ArgMatches,
    ) -> Result<BTreeMap<String, Settings>, ConfigError> {
        let command = batching();
        let known = options(&command);
        let flag_of_all = |&name: &_| Some((name, flag(name, all.get_raw(name)?.next()?)));
        let model = |(model, table): (&String, &Table)| {
            let prefix = format!("models.{model}.");
            let mut flags: BTreeMap<_, _> = known.keys().filter_map(flag_of_all).collect();
            flags.extend(self.table(&prefix, table, &known)?);
            let flags = flags.into_values().collect();
            let matches = parse(command.clone(), flags, Some((self, &prefix)))?;
            let options = Settings::from_arg_matches(&matches);
            Ok((model.clone(), options.expect("every option was parsed")))
        };
        self.models.iter().map(model).collect()
    }

    /// `FILE:LINE` of an option, by the `prefix` that names its table.
    pub(super) fn place(&self, prefix: &str, option: &str) -> String {
        let line_of = |keys: &str| {
            let root = DeTable::parse(&self.text).ok()?;
            let (tables, option) = keys.rsplit_once('.').unwrap_or(("", keys));
            let tables = tables.split_terminator('.');
            let table = tables.into_iter().try_fold(root.get_ref(), |table, name| {
                table.get(name)?.get_ref().as_table()
            });
            let start = table?.get(option)?.span().start;
            Some(1 + self.text[..start].matches('\n').count())
        };
        let file = self.path.display();
        let line = line_of(&format!("{prefix}{option}"));
        match line.or_else(|| line_of(&format!("batching.{option}"))) {
            Some(line) => format!("{file}:{line}"),
            None => file.to_string(),
        }
    }

    /// An error in the file itself.
    pub(super) fn refuse(&self, prefix: &str, option: &str, problem: &str) -> ConfigError {
        let place = self.place(prefix, option);
        ConfigError::new("config", format!("{place}: {problem}"))
    }

    /// A table's options as flags, by their names.
    fn table<'a>(
        &self,
        prefix: &str,
        table: &'a Table,
        known: &BTreeMap<&str, &Arg>,
    ) -> Result<BTreeMap<&'a str, OsString>, ConfigError> {
        let flag = |(name, value): (&'a String, &Value)| {
            let refuse = |problem: String| Err(self.refuse(prefix, name, &problem));
            let Some(argument) = known.get(name.as_str()) else {
                let known: Vec<_> = known.keys().copied().collect();
                let known = known.join(", ");
                return refuse(format!("unknown option `{name}`; there are {known}"));
            };
            let kind = value.type_str();
            match text(value) {
                Some(_) if value.is_str() && is_number(argument) => {
                    refuse(format!("{name} is a {kind}; an integer is needed"))
                }
                Some(text) => Ok((name.as_str(), flag(name, text.as_ref()))),
                None => {
                    let needed = "a text, an integer or a list is needed";
                    refuse(format!("{name} is a {kind}; {needed}"))
                }
            }
        };
        table.iter().map(flag).collect()
    }
}

pub(super) fn batching() -> Command {
    Settings::augment_args(Command::new("batching").no_binary_name(true))
}

/// The options by their names, as they stand in the file.
pub(super) fn options(command: &Command) -> BTreeMap<&str, &Arg> {
    let arguments = command.get_arguments();
    let named = arguments.map(|argument| (argument.get_id().as_str(), argument));
    named.collect()
}

pub(super) fn is_number(argument: &Arg) -> bool {
    let kind = argument.get_value_parser().type_id();
    let numbers = [ValueParser::from(at_least_one), value_parser!(u64).into()];
    numbers.iter().any(|number| number.type_id() == kind)
}

fn flag(name: &str, value: &OsStr) -> OsString {
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
