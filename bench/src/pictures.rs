//! Pictures as people send them: which share of MNIST's test digits a model reads right when they
//! are redrawn on ruled paper, in bad light, beside a finger; and which share of pictures without
//! a digit, empty or of something else, is called unreadable. No server runs: each picture goes
//! through the server's own decoding, framing and session.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use quintet_bundle::image::{
    Framing, GrayImage, ImageInput, ImageSpec, Pixels, sheet, square_columns,
};
use quintet_bundle::{Manifest, is_known};
use quintet_data::fashion_mnist;
use quintet_data::mnist::{self, Digits, Split};
use quintet_e2e::photo::{Blank, Drawing, Kind, Rng, blanks, kinds, others};
use quintet_e2e::png;
use quintet_server::batching::Backend as _;
use quintet_server::runtime::{Row, SessionBackend, Weights};
use quintet_server::task::picture::{Picture, Wanted, decode};

use crate::Result;
use crate::inference::Inference;

/// Largest picture in pixels.
const MAX_PIXELS: u64 = 1 << 26;
/// Sides of the redrawn digits, in pixels.
const SIDES: std::ops::Range<usize> = 280..400;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where MNIST lies, in DIR/mnist/ or DIR itself, and Fashion-MNIST, in DIR/fashion-mnist/.
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
    least_divergence: Option<f32>,
    session: SessionBackend,
}

/// What a model reads in a picture.
struct Reading {
    /// The frame that it sees.
    frame: Bytes,
    /// The most probable class.
    class: usize,
    /// Whether the server says that there is something to read.
    readable: bool,
}

/// Shares of the pictures of a kind.
struct Shares {
    right: f64,
    unreadable: f64,
}

/// Whether a model's classes are the ten digits, in order.
pub(crate) fn reads_digits(manifest: &Manifest) -> bool {
    let digits = (0..10).map(|digit| digit.to_string());
    manifest.labels.iter().cloned().eq(digits)
}

/// The tables, in Markdown.
pub(crate) fn measure(options: &Options, models: Vec<Inference>) -> Result<String> {
    let reader = |model: Inference| -> Result<Reader> {
        Ok(Reader {
            input: ImageInput::of(model.bundle.manifest())?,
            least_divergence: model.bundle.manifest().least_divergence,
            session: model.session(&Weights::default())?,
            name: model.name,
        })
    };
    let mut readers = models.into_iter().map(reader).collect::<Result<Vec<_>>>()?;
    let digits = mnist::load(&options.data_dir, Split::Test)?;
    let names: Vec<_> = readers.iter().map(|it| it.name.clone()).collect();
    let columns = |column: &str| -> String {
        let column = |name| format!(" {name}{column} |");
        names.iter().map(column).collect()
    };
    let heads = format!("{}{}", columns(""), columns(", unreadable"));
    let mut table = format!("| picture | goal |{heads}\n|---|---|");
    table += &"---|".repeat(2 * names.len());
    table.push('\n');
    for kind in kinds()
        .iter()
        .filter(|kind| kind.name.contains(&options.kind))
    {
        crate::say(kind.name);
        write!(table, "| {} | {:.0} |", kind.name, kind.goal * 100.0)?;
        let mut shares = Vec::new();
        for reader in &mut readers {
            shares.push(reader.shares(kind, &digits, options)?);
        }
        let right = shares.iter().map(|it| it.right);
        for share in right.chain(shares.iter().map(|it| it.unreadable)) {
            write!(table, " {:.1} |", share * 100.0)?;
        }
        table.push('\n');
    }
    let digits_of = options.count;
    writeln!(
        table,
        "\n{digits_of} digits of each kind, % right, and % called unreadable."
    )?;
    table += &other(&mut readers, &columns(""), &digits, options)?;
    table += &blank(options)?;
    Ok(table)
}

/// The share of pictures of something else that is called unreadable, and that of all test digits,
/// as a table.
fn other(
    readers: &mut [Reader],
    columns: &str,
    digits: &Digits,
    options: &Options,
) -> Result<String> {
    let mut table = format!("\n| picture of something else | goal |{columns}\n|---|---|");
    table += &"---|".repeat(readers.len());
    table.push('\n');
    let garments = fashion_mnist::load(&options.data_dir, Split::Test)?;
    let count = options.count;
    let mut row = |name: &str, goal: f64, count, file: &dyn Fn(usize) -> Vec<u8>| -> Result<()> {
        if !name.contains(&options.kind) {
            return Ok(());
        }
        crate::say(name);
        write!(table, "| {name} | {:.0} |", goal * 100.0)?;
        for reader in &mut *readers {
            let mut told = 0_u32;
            for index in 0..count {
                told += u32::from(!reader.read(file(index).into())?.readable);
            }
            let share = 100.0 * f64::from(told) / count as f64;
            write!(table, " {share:.1} |")?;
        }
        table.push('\n');
        Ok(())
    };
    for Blank { name, goal, draw } in others() {
        row(name, *goal, count, &|index| {
            draw(&mut Rng::with_seed(index as u64))
        })?;
    }
    row("Fashion-MNIST's test garments", 0.95, count, &|index| {
        frame(&garments, index * garments.len() / count)
    })?;
    let all = digits.len();
    row("all of MNIST's test digits, at most", 0.02, all, &|index| {
        frame(digits, index)
    })?;
    writeln!(
        table,
        "\n{count} pictures of each kind, % called unreadable."
    )?;
    Ok(table)
}

/// A picture of a data set as a file.
fn frame(images: &Digits, index: usize) -> Vec<u8> {
    let pixels = images.image(index).to_vec();
    let side = mnist::SIDE as u32;
    let picture = GrayImage::from_raw(side, side, pixels);
    png(&picture.expect("its pixels are a square"))
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
pub(crate) fn pixels(spec: &ImageSpec, file: Bytes) -> Result<Pixels> {
    let wanted = Wanted::by(*spec, Framing::Auto);
    let pixels = decode(&Picture::Encoded(file), wanted, MAX_PIXELS);
    Ok(pixels.map_err(|error| format!("{}: {}", error.field, error.description))?)
}

impl Reader {
    /// The shares of the digits that are read right, and that are called unreadable.
    fn shares(&mut self, kind: &Kind, digits: &Digits, options: &Options) -> Result<Shares> {
        let (mut right, mut unreadable, mut misread) = (0_u32, 0_u32, Vec::new());
        for place in 0..options.count {
            let index = place * digits.len() / options.count;
            let mut rng = Rng::with_seed(index as u64);
            let drawing = Drawing::redrawn(digits.image(index), rng.usize(SIDES));
            let file = Bytes::from((kind.draw)(&drawing, &mut rng));
            let reading = self.read(file.clone())?;
            let (frame, found) = (reading.frame, reading.class);
            unreadable += u32::from(!reading.readable);
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
        let share = |count| f64::from(count) / options.count as f64;
        Ok(Shares {
            right: share(right),
            unreadable: share(unreadable),
        })
    }

    fn read(&mut self, file: Bytes) -> Result<Reading> {
        let pixels = pixels(&self.input.spec, file)?;
        let fitted = self.input.spec.fit(pixels, Framing::Auto);
        let frame = Bytes::from(self.input.elements(fitted.pixels));
        let row: Row = std::iter::once(frame.clone()).collect();
        let mut outputs = Vec::new();
        self.session.run(&[row], &mut outputs)?;
        let classes = outputs
            .first()
            .and_then(|row| row.first())
            .ok_or("no output")?;
        let (numbers, _) = classes.as_chunks();
        let numbers: Vec<_> = numbers.iter().map(|it| f32::from_le_bytes(*it)).collect();
        let best = numbers.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let (class, _) = best.ok_or("no class")?;
        Ok(Reading {
            frame,
            class,
            readable: fitted.readable && is_known(&numbers, self.least_divergence),
        })
    }
}

/// Grey pixels as a file (Netpbm).
fn pgm(picture: &quintet_bundle::image::GrayImage) -> Vec<u8> {
    let head = format!("P5\n{} {}\n255\n", picture.width(), picture.height());
    [head.as_bytes(), picture.as_raw()].concat()
}
