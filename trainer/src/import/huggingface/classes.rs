//! Classes of tokenisers of `transformers`, and what each makes of `tokenizer.json`.
//!
//! Version 4 takes the file as it is, but for a few settings. Version 5 makes BERT's, RoBERTa's and
//! HerBERT's anew, of the vocabulary alone.

use serde_json::Value;

use super::CONFIG;
use super::config::{Config, Family};
use super::settings::{Settings, TOKENIZER_CONFIG};

/// The version of `transformers` that reads a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Five,
}

/// What a class makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// WordPiece, with BERT's normaliser.
    Bert,
    /// Byte pairs of bytes.
    Roberta,
    /// Byte pairs of characters, with BERT's normaliser.
    Herbert,
    /// What the file says.
    Generic,
}

/// A class that can be imported.
#[derive(Debug)]
pub(super) struct Class {
    /// Its name, which files may write with `Fast` behind it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The versions that give types to a network, where `model_input_names` does not say.
    typed: &'static [Version],
}

const BOTH: &[Version] = &[Version::Four, Version::Five];
const FOUR: &[Version] = &[Version::Four];

static CLASSES: [Class; 19] = [
    Class::new("BertTokenizer", Kind::Bert, BOTH),
    Class::new("DistilBertTokenizer", Kind::Bert, &[]),
    Class::new("ElectraTokenizer", Kind::Bert, BOTH),
    Class::new("MobileBertTokenizer", Kind::Bert, BOTH),
    Class::new("SqueezeBertTokenizer", Kind::Bert, BOTH),
    Class::new("ConvBertTokenizer", Kind::Bert, BOTH),
    Class::new("LayoutLMTokenizer", Kind::Bert, BOTH),
    Class::new("LxmertTokenizer", Kind::Bert, BOTH),
    Class::new("DPRQuestionEncoderTokenizer", Kind::Bert, BOTH),
    Class::new("DPRContextEncoderTokenizer", Kind::Bert, BOTH),
    Class::new("RobertaTokenizer", Kind::Roberta, &[]),
    Class::new("BartTokenizer", Kind::Roberta, &[]),
    Class::new("LongformerTokenizer", Kind::Roberta, &[]),
    Class::new("LEDTokenizer", Kind::Roberta, &[]),
    Class::new("MvpTokenizer", Kind::Roberta, &[]),
    Class::new("HerbertTokenizer", Kind::Herbert, FOUR),
    Class::new("PreTrainedTokenizerFast", Kind::Generic, FOUR),
    Class::new("PreTrainedTokenizer", Kind::Generic, FOUR),
    Class::new(BACKEND, Kind::Generic, FOUR),
];

/// The generic class of version 5, which version 4 does not know.
const BACKEND: &str = "TokenizersBackend";

/// The keys of special tokens.
const SPECIAL_TOKENS: [&str; 5] = [
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

impl Class {
    const fn new(name: &'static str, kind: Kind, typed: &'static [Version]) -> Self {
        Self { name, kind, typed }
    }

    /// The class that `AutoTokenizer` takes: that of `tokenizer_config.json`, else that of
    /// `config.json`, else that of the network.
    ///
    /// # Errors
    /// It is not one of those that are known; the name of the file comes first.
    pub(super) fn of(
        settings: &Settings,
        config: &Config,
    ) -> Result<&'static Self, (&'static str, String)> {
        let of_config = config.tokenizer_class.as_deref();
        let of_config = of_config.filter(|class| !class.is_empty());
        let (file, name) = match (settings.tokenizer_class.as_deref(), of_config) {
            // Version 5 takes no name for one that it does not know.
            (Some(""), _) => (TOKENIZER_CONFIG, BACKEND),
            (Some(name), _) => (TOKENIZER_CONFIG, name),
            (None, Some(name)) => (CONFIG, name),
            (None, None) if config.family == Family::Roberta => (CONFIG, "RobertaTokenizer"),
            (None, None) => (CONFIG, "BertTokenizer"),
        };
        let is_it =
            |class: &&Self| class.name == name || name.strip_suffix("Fast") == Some(class.name);
        CLASSES.iter().find(is_it).ok_or_else(|| {
            let known = CLASSES.iter().map(|it| it.name);
            let known = known.collect::<Vec<_>>().join(", ");
            let problem = format!(
                "tokenizer_class is {name}; {known} are allowed, and PreTrainedTokenizerFast takes \
                 tokenizer.json as it is"
            );
            (file, problem)
        })
    }

    /// Whether the network gets the types that the tokeniser makes.
    pub(super) fn gives_types(&self, version: Version, settings: &Settings) -> bool {
        match &settings.model_input_names {
            Some(names) => names.iter().any(|it| it == "token_type_ids"),
            None => self.typed.contains(&version),
        }
    }

    /// The content of one of its special tokens, or null where it has no such token.
    pub(super) fn token(&self, key: &str, settings: &Settings) -> Value {
        let names = match self.kind {
            Kind::Bert => ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"],
            Kind::Roberta | Kind::Herbert => ["<unk>", "</s>", "<pad>", "<s>", "<mask>"],
            Kind::Generic => return settings.token(key, Value::Null),
        };
        let default = SPECIAL_TOKENS.iter().zip(names).find(|(it, _)| **it == key);
        settings.token(key, default.map_or(Value::Null, |(_, name)| name.into()))
    }

    /// The contents of all special tokens.
    pub(super) fn special_tokens(&self, settings: &Settings) -> Vec<Value> {
        let tokens = SPECIAL_TOKENS.iter().map(|key| self.token(key, settings));
        tokens.filter(|token| !token.is_null()).collect()
    }

    /// Whether it takes the vocabulary alone from the file.
    pub(super) fn rebuilds(&self, version: Version) -> bool {
        version == Version::Five && self.kind != Kind::Generic
    }
}

impl Version {
    /// The version that saved a checkpoint, where its files say so.
    pub(super) fn of(settings: &Settings, config: &Config) -> Option<Self> {
        let said = |key| settings.said(key).map(|(value, _)| value);
        // Version 5 writes the first, and is alone in knowing the second.
        if said("backend").is_some() || settings.tokenizer_class.as_deref() == Some(BACKEND) {
            return Some(Self::Five);
        }
        let written = said("transformers_version").and_then(Value::as_str);
        let written = written.or(config.transformers_version.as_deref())?;
        match written.split('.').next()?.parse::<u32>().ok()? {
            0..5 => Some(Self::Four),
            _ => Some(Self::Five),
        }
    }

    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Four => Self::Five,
            Self::Five => Self::Four,
        }
    }

    /// Its number.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Four => 4,
            Self::Five => 5,
        }
    }
}
