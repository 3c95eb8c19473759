//! The grammar of `quintet generate`.

use std::path::PathBuf;

use clap::Args;

pub(crate) const GENERATE_JSON: &str = "\
The same seed, models and options give the same files. With a digit, the server draws candidates
and keeps those that its classifier calls so; it gives up after a bounded number of them. A folder
takes larger counts than a sheet does, and its files are named by place and digit, such as
0007-digit-3.png; --timeout then bounds the wait for the next images, not for all of them. Nothing
is written before all images are there.
With --json, one object:
  out, count, seed, candidates (drawn, those kept included), model, version, classifier,
  classifier_version, digits[] (how many images of 0, of 1, ... of 9), mean_confidence (0 to 1),
  images[] with index (which candidate of the seed), digit, confidence, and file (null on a
  sheet and without --out)";

#[derive(Clone, Debug, Args)]
pub(crate) struct GenerateArgs {
    /// How many images.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) count: u32,
    /// Only images of this digit [default: all digits, as they come].
    #[arg(long, value_name = "0..9", value_parser = clap::value_parser!(u32).range(0..=9))]
    pub(super) digit: Option<u32>,
    /// How sure of its digit the classifier must be of each image, 0 to 1, and of turned, moved and
    /// smaller copies where the generator's bundle says so [default: 0.9 with --digit, else 0].
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(super) min_confidence: Option<f32>,
    /// Decides every image, 0 to 2^64 - 1 [default: one that the server draws].
    #[arg(long, value_name = "S", value_parser = seed, allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// The generator's name [default: the server's default generator].
    #[arg(long)]
    pub(super) model: Option<String>,
    /// The generator's version [default: the newest that is ready].
    #[arg(long)]
    pub(super) version: Option<String>,
    /// The name of the classifier that names the digits [default: the server's default classifier].
    #[arg(long)]
    pub(super) classifier: Option<String>,
    /// Where to write: a .png file for one sheet of all images, or a folder for a file each. Files
    /// of the same names are replaced, a folder that is not there is made [default: the terminal,
    /// where it can show images; nowhere with --json].
    #[arg(long, value_name = "PNG|DIR")]
    pub(super) out: Option<PathBuf>,
    /// Show no images in the terminal.
    #[arg(long)]
    pub(super) no_preview: bool,
    /// Print JSON, and show no images.
    #[arg(long)]
    pub(super) json: bool,
}

fn seed(text: &str) -> Result<u64, String> {
    let seed = text.parse();
    seed.map_err(|_| format!("write a whole number from 0 to {} (2^64 - 1)", u64::MAX))
}

fn probability(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("write a number from 0 to 1".into()),
    }
}
