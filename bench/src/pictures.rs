//! Pictures as people send them: which share of MNIST's test digits a model reads right when they
//! are redrawn on ruled paper, in bad light, beside a finger; and which share of pictures without
//! a digit is said to hold nothing. No server runs: each picture goes through the server's own
//! decoding, framing and session.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use quintet_bundle::image::{Framing, ImageInput, ImageSpec, Pixels, sheet, square_columns};
use quintet_data::mnist::{self, Split};
use quintet_e2e::photo::{Blank, Drawing, Kind, Rng, blanks, kinds};
use quintet_server::batching::Backend as _;
use quintet_server::runtime::{Row, SessionBackend, Weights};
use quintet_server::task::picture::{Picture, Wanted, decode};

use crate::Result;
use crate::inference::Inference;

/// Largest picture in pixels.
const MAX_PIXELS: u64 = 1 << 24;
/// Sides of the redrawn digits, in pixels.
const SIDES: std::ops::Range<usize> = 280..400;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where MNIST lies, in DIR/mnist/ or DIR itself.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Digits of each kind.
    #[arg(long, value_name = "N", default_value_t = 300)]
    count: usize,
    /// Only the kinds whose names hold this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    kind: String,
    /// Write the pictures that are misread to this folder, with a sheet of the frames that the
    /// model saw.
    #[arg(long, value_name = "DIR")]
    misread: Option<PathBuf>,
}

/// A model, and what it takes.
struct Reader {
    name: String,
    input: ImageInput,
    session: SessionBackend,
}

/// The tables, in Markdown.
pub(crate) fn measure(options: &Options, models: Vec<Inference>) -> Result<String> {
    let reader = |model: Inference| -> Result<Reader> {
        Ok(Reader {
            input: ImageInput::of(model.bundle.manifest())?,
            session: model.session(&Weights::default())?,
            name: model.name,
        })
    };
    let mut readers = models.into_iter().map(reader).collect::<Result<Vec<_>>>()?;
    let digits = mnist::load(&options.data_dir, Split::Test)?;
    let names: Vec<&str> = readers.iter().map(|it| &*it.name).collect();
    let mut table = format!("| picture | goal | {} |\n|---|---|", names.join(" | "));
    table += &"---|".repeat(names.len());
    table.push('\n');
    for kind in kinds()
        .iter()
        .filter(|kind| kind.name.contains(&options.kind))
    {
        crate::say(kind.name);
        write!(table, "| {} | {:.0} |", kind.name, kind.goal * 100.0)?;
        for reader in &mut readers {
            let right = reader.share(kind, &digits, options)?;
            write!(table, " {:.1} |", right * 100.0)?;
        }
        table.push('\n');
    }
    writeln!(table, "\n{} digits of each kind, % right.", options.count)?;
    table += &blank(options)?;
    Ok(table)
}

/// The share of pictures of each blank kind in which no ink is found, as a table.
fn blank(options: &Options) -> Result<String> {
    let mut table =
        "\n| picture without a digit | goal | no ink found |\n|---|---|---|\n".to_owned();
    let (spec, kinds) = (ImageSpec::digit(), blanks().iter());
    for Blank { name, goal, draw } in kinds.filter(|kind| kind.name.contains(&options.kind)) {
        crate::say(name);
        let mut told = 0_u32;
        for seed in 0..options.count {
            let file = draw(&mut Rng::with_seed(seed as u64));
            let picture = pixels(&spec, file.into())?;
            let fitted = spec.fit(picture, Framing::Auto);
            told += u32::from(!fitted.readable);
        }
        let share = 100.0 * f64::from(told) / options.count as f64;
        writeln!(table, "| {name} | {:.0} | {share:.1} |", goal * 100.0)?;
    }
    writeln!(table, "\n{} pictures of each kind, % told.", options.count)?;
    Ok(table)
}

/// A file's pixels, as a search for ink takes them.
fn pixels(spec: &ImageSpec, file: Bytes) -> Result<Pixels> {
    let wanted = Wanted::by(*spec, Framing::Auto);
    let pixels = decode(&Picture::Encoded(file), wanted, MAX_PIXELS);
    Ok(pixels.map_err(|error| format!("{}: {}", error.field, error.description))?)
}

impl Reader {
    /// The share of the digits that are read right.
    fn share(&mut self, kind: &Kind, digits: &mnist::Digits, options: &Options) -> Result<f64> {
        let (mut right, mut misread) = (0_u32, Vec::new());
        for place in 0..options.count {
            let index = place * digits.len() / options.count;
            let mut rng = Rng::with_seed(index as u64);
            let drawing = Drawing::redrawn(digits.image(index), rng.usize(SIDES));
            let file = Bytes::from((kind.draw)(&drawing, &mut rng));
            let (frame, found) = self.read(file.clone())?;
            if found == usize::from(digits.labels[index]) {
                right += 1;
            } else {
                misread.push((
                    format!("{index}_{}_as_{found}", digits.labels[index]),
                    file,
                    frame,
                ));
            }
        }
        if let Some(folder) = &options.misread {
            let folder = folder.join(kind.name.replace(|it: char| !it.is_alphanumeric(), "_"));
            fs::create_dir_all(&folder)?;
            for (name, file, _) in &misread {
                fs::write(folder.join(format!("{name}.png")), file)?;
            }
            let frames: Vec<_> = misread.into_iter().map(|(.., frame)| frame).collect();
            let columns = square_columns(frames.len());
            let side = self.input.spec.width;
            fs::write(
                folder.join("frames.pgm"),
                pgm(&sheet(&frames, [side; 2], columns)),
            )?;
        }
        Ok(f64::from(right) / options.count as f64)
    }

    /// The frame that the model sees, and the class that it finds.
    fn read(&mut self, file: Bytes) -> Result<(Bytes, usize)> {
        let pixels = pixels(&self.input.spec, file)?;
        let frame = Bytes::from(self.input.row(pixels, Framing::Auto));
        let row: Row = std::iter::once(frame.clone()).collect();
        let mut outputs = Vec::new();
        self.session.run(&[row], &mut outputs)?;
        let classes = outputs
            .first()
            .and_then(|row| row.first())
            .ok_or("no output")?;
        let (numbers, _) = classes.as_chunks();
        let numbers = numbers.iter().map(|it| f32::from_le_bytes(*it)).enumerate();
        let best = numbers.max_by(|a, b| a.1.total_cmp(&b.1));
        Ok((frame, best.map_or(0, |(class, _)| class)))
    }
}

/// Grey pixels as a file (Netpbm).
fn pgm(picture: &quintet_bundle::image::GrayImage) -> Vec<u8> {
    let head = format!("P5\n{} {}\n255\n", picture.width(), picture.height());
    [head.as_bytes(), picture.as_raw()].concat()
}
