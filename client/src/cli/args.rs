//! The command line's grammar.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use quintet_client::Framing;

use crate::{
    bench::{BENCH_JSON, BenchArgs},
    connection::ConnectionArgs,
    generate::{GENERATE_JSON, GenerateArgs},
};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed: no server, a refused request, an unreadable file, a model that is not serving
  2    wrong usage
  3    not allowed: no token, one that the server does not know, or one without the permission
  130  interrupted with Ctrl-C";

const CLASSIFY_JSON: &str = "\
With --json, one object:
  predictions[]  in the order of the arguments: image (the argument), model, version,
                 readable (whether there is anything to read),
                 labels[] with name, index and probability, the most probable first; none where
                 there is nothing to read,
                 explanation with ink_found, polarity (dark_on_light or light_on_dark), dropped[]
                 with kind and count, of which a neighbour is what may be another digit, and with
                 --show-frame frame (width, height, channels, pixels[])
  requests[]     in the order sent: model, version, images (how many),
                 timing with preprocess_us, queue_us, compute_us (microseconds) and batch_size";

const SENTIMENT_JSON: &str = "\
Prints each text's likelier label, its score, which is how probable the positive label is, and
the text's start, in the order of the texts. An empty line is an empty text. The first failure
ends it, with the texts before answered. Notes on stderr name the texts that were cut, or whose
language the model hardly knows.
With --json, one object a text:
  line (its number in stdin), text, label, score (0 to 1), tokens (that the model read),
  truncated (whether there were more), known_tokens (in the model's vocabulary),
  language_supported (whether at least half are known), model, version";

const CLASSIFY_TEXT_JSON: &str = "\
Prints each text's most probable labels with their probabilities, and the text's start, in the order
of the texts; of a model that gives numbers instead, the numbers. An empty line is an empty text.
The first failure ends it, with the texts before answered. Notes on stderr name the texts that were
cut.
With --json, one object a text:
  line (its number in stdin), text, text_pair, labels[] with name, index and probability, logits[],
  tokens (that the model read), truncated (whether there were more), model, version";

const MODELS_JSON: &str = "\
With --json, one object:
  models[]  name, version, task, state, reason, is_default, architecture, labels[],
            inputs[] and outputs[] with name, datatype and shape, device, instances,
            max_batch_size, parameters, metrics, quantization (empty: float32)
The states are loading, ready, unavailable and unknown; a reason is empty for a ready model.";

const EVALUATE_JSON: &str = "\
An image classifier gets MNIST's test set, one image a request, or Fashion-MNIST's where its labels
are garments; a text classifier gets the 25,000 test reviews of IMDB, 16 a request. Without --model,
the default classifier is measured, and then, if the reviews are there, every text classifier of two
labels that is ready; with --texts, every such text classifier. An answer of UNKNOWN is wrong.
With --json, one object a model:
  model, version, images or texts, correct, accuracy (0 to 1), labels[], confusion (a row for each
  true label, of counts, one for each answered label), seconds, images_per_second or
  texts_per_second, unknown (texts answered so), mean_batch_size, concurrency";

/// Call a Quintet model server.
#[derive(Debug, Parser)]
#[command(name = "quintet", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Name what is in images (PNG, JPEG or WebP files).
    #[command(after_help = CLASSIFY_JSON)]
    Classify(ClassifyArgs),
    /// Say of texts how well they speak of their subject.
    #[command(after_help = SENTIMENT_JSON)]
    Sentiment(SentimentArgs),
    /// Classify texts, or pairs of texts, by any text classifier.
    #[command(after_help = CLASSIFY_TEXT_JSON)]
    ClassifyText(ClassifyTextArgs),
    /// Make images of handwritten digits that nobody wrote.
    #[command(after_help = GENERATE_JSON)]
    Generate(GenerateArgs),
    /// List the models that the server has.
    #[command(after_help = MODELS_JSON)]
    Models(ModelsArgs),
    /// Say whether the server, or one model, takes calls; exit code 0 only if it does.
    Health(HealthArgs),
    /// Measure a model's accuracy and speed on a public test set, through the server.
    #[command(after_help = EVALUATE_JSON)]
    Evaluate(EvaluateArgs),
    /// Put load on the server, and measure its throughput and latency.
    #[command(after_help = BENCH_JSON)]
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ClassifyArgs {
    /// Image files; - reads one from stdin. All are read before any is sent.
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// The model's name [default: the server's default classifier].
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The model's version [default: the newest that is ready].
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// How many labels to print for an image.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top_k: u32,
    /// How a picture becomes the model's input: auto finds the digit or the garment in it and frames
    /// it as MNIST or Fashion-MNIST does, none takes the pixels as they are.
    #[arg(long, default_value = "auto", value_parser = framing())]
    pub(crate) framing: Framing,
    /// Fail at an image in which there is nothing to read, instead of printing "no digit found" or
    /// "nothing to read".
    #[arg(long)]
    pub(crate) strict: bool,
    /// Draw what the model saw of each image, and print what was found in it beside the digit.
    #[arg(long)]
    pub(crate) show_frame: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SentimentArgs {
    /// Texts; - reads one from each line of stdin, of at most 1 MiB, and answers as they come.
    #[arg(value_name = "TEXT", required = true)]
    pub(crate) texts: Vec<String>,
    /// The model's name [default: the server's default sentiment model].
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The model's version [default: the newest that is ready].
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// Fail at a text of which the model knows no word, instead of printing UNKNOWN.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print JSON, one object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ClassifyTextArgs {
    /// Texts; - reads one from each line of stdin, of at most 1 MiB, and answers as they come.
    #[arg(value_name = "TEXT", required = true)]
    pub(crate) texts: Vec<String>,
    /// The second text of a pair with each of the texts, such as the hypothesis that they may
    /// entail.
    #[arg(long, value_name = "TEXT")]
    pub(crate) text_pair: Option<String>,
    /// The model's name [default: the server's default text classifier].
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The model's version [default: the newest that is ready].
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// How many labels to print for a text.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top_k: u32,
    /// Print the logits, too.
    #[arg(long)]
    pub(crate) logits: bool,
    /// Fail at a text with more tokens than the model reads, instead of cutting it.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print JSON, one object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Ask about this model and not the server as a whole.
    #[arg(long)]
    pub(crate) model: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// Where the MNIST test set lies, DIR/mnist/ or DIR itself, packed (.gz) or not;
    /// Fashion-MNIST's, DIR/fashion-mnist/; and IMDB's aclImdb_v1.tar.gz, DIR/imdb/ or DIR itself.
    #[arg(
        long,
        value_name = "DIR",
        required_unless_present = "texts",
        conflicts_with = "texts"
    )]
    pub(crate) data_dir: Option<PathBuf>,
    /// Your own texts instead, or SST-2's: a line for each, of the text, a tab, and 0 or 1 for the
    /// model's first or second label.
    #[arg(long, value_name = "FILE")]
    pub(crate) texts: Option<PathBuf>,
    /// The model's name [default: see below].
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Send only the first N images or texts; bad and good reviews alternate.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<NonZeroUsize>,
    /// How many requests are under way at once.
    #[arg(long, value_name = "N", default_value = "32")]
    pub(crate) concurrency: NonZeroUsize,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The values of `--framing`.
fn framing() -> impl TypedValueParser<Value = Framing> {
    PossibleValuesParser::new(["auto", "none"]).map(|name| match &*name {
        "none" => Framing::None,
        _ => Framing::Auto,
    })
}

/// A time with its unit: `500ms`, `10s`, `2m`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return Err("write a whole number with its unit, such as 500ms, 10s or 2m".into()),
    };
    let number_of_units: Option<u64> = number.parse().ok();
    match number_of_units.and_then(|it| it.checked_mul(milliseconds)) {
        Some(0) => Err("no call ends in no time".into()),
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        None => Err(format!("{number:?} is not a number of {unit} that fits")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        for (text, milliseconds) in [("500ms", 500), ("10s", 10_000), ("2m", 120_000)] {
            assert_eq!(time(text), Ok(Duration::from_millis(milliseconds)));
        }
        for text in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "10 s",
            "1h",
            "0s",
            "99999999999999999999s",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
