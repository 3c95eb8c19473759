//! Whether a JPEG file holds all of its picture (ITU-T T.81). The decoder is lenient: what a file
//! lacks it fills with grey, which a model would read with confidence.

mod bits;
mod scan;

use std::borrow::Cow;

use bits::Code;
use scan::{Component, Frame, Scan};

/// Most scans of a file, as the decoder has it.
const MAX_SCANS: usize = 100;

/// The file with the marker of its end, which is added where nothing else is missing.
///
/// A file with that marker is only looked at between its scans; of a file without it, every code is
/// read. What is malformed in another way is left to the decoder.
///
/// # Errors
/// What is missing.
pub(super) fn completed(file: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let mut picture = Picture::default();
    match picture.read(file, Depth::Markers) {
        End::Marker => {
            picture.check_components()?;
            return Ok(Cow::Borrowed(file));
        }
        End::Unknown => return Ok(Cow::Borrowed(file)),
        End::Missing(what) => return Err(what),
        End::OfFile => {}
    }
    check_every_code(file)?;
    Ok(Cow::Owned([file, &[0xFF, EOI]].concat()))
}

/// Reads every code of a file.
///
/// # Errors
/// What is missing.
pub(super) fn check_every_code(file: &[u8]) -> Result<(), String> {
    let mut picture = Picture::default();
    match picture.read(file, Depth::Codes) {
        End::Missing(what) => Err(what),
        End::Marker | End::Unknown => Ok(()),
        End::OfFile => {
            picture.check_components()?;
            picture.check_precision()
        }
    }
}

/// Bytes of the coefficients that a decoder holds until the last scan: two for each, where there are
/// several scans. 0 for other files.
pub(super) fn coefficient_bytes(file: &[u8]) -> u64 {
    let (mut picture, mut at) = (Picture::default(), 0);
    while let Some((marker, after)) = next_marker(file, at) {
        at = after;
        if matches!(marker, SOI | 0x01 | RST0..=RST7) {
            continue;
        }
        let Some(&[high, low]) = file.get(at..).and_then(<[u8]>::first_chunk) else {
            return 0;
        };
        let end = at + usize::from(u16::from_be_bytes([high, low]));
        match (marker, file.get(at + 2..end)) {
            (SOF2, Some(segment)) => {
                let understood = picture.read_frame(segment, true);
                return understood.map_or(0, |()| 2 * picture.samples());
            }
            (SOF0 | 0xC1 | SOS | EOI, _) | (_, None) => return 0,
            _ => at = end,
        }
    }
    0
}

/// How far into a file is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Markers,
    Codes,
}

/// What a file ends with.
#[derive(Debug)]
enum End {
    /// The marker of its end.
    Marker,
    /// Nothing.
    OfFile,
    /// Something is missing before.
    Missing(String),
    /// A process or a fault that only the decoder judges.
    Unknown,
}

const SOF0: u8 = 0xC0;
const SOF2: u8 = 0xC2;
const DHT: u8 = 0xC4;
const RST0: u8 = 0xD0;
const RST7: u8 = 0xD7;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DRI: u8 = 0xDD;

/// What the segments so far have said.
#[derive(Debug, Default)]
struct Picture {
    components: Vec<Component>,
    is_progressive: bool,
    frame: Frame,
    /// Of the DC coefficients, then of the AC ones.
    codes: [[Option<Code>; 4]; 2],
    scans: usize,
}

impl Picture {
    /// Samples of all components, of which some have fewer than the picture has pixels.
    fn samples(&self) -> u64 {
        let factors = self.components.iter().map(Component::blocks);
        let most = self.components.iter().map(Component::blocks).max();
        let (width, height) = self.frame.size;
        let pixels = (width as u64).saturating_mul(height as u64);
        pixels.saturating_mul(factors.sum()) / most.unwrap_or(1).max(1)
    }

    fn read(&mut self, file: &[u8], depth: Depth) -> End {
        let mut at = 0;
        loop {
            // Bytes before a marker are no data.
            let Some((marker, after)) = next_marker(file, at) else {
                return End::OfFile;
            };
            at = after;
            match marker {
                EOI => return End::Marker,
                SOI | 0x01 | RST0..=RST7 => continue,
                _ => {}
            }
            let length = file
                .get(at..at + 2)
                .map(|it| (usize::from(it[0]) << 8) | usize::from(it[1]));
            let segment = length.and_then(|length| file.get(at + 2..at + length.max(2)));
            let Some(segment) = segment else {
                return End::Missing("it ends inside a header".to_owned());
            };
            at += 2 + segment.len();
            let understood = match marker {
                SOF0 | 0xC1 | SOF2 => self.read_frame(segment, marker == SOF2),
                DHT => self.read_codes(segment),
                DRI => self.read_interval(segment),
                SOS => {
                    let (intervals, end) = match split(file, at) {
                        Ok(split) => split,
                        Err(what) => return End::Missing(what),
                    };
                    at = end;
                    self.scans += 1;
                    match self.read_scan(segment, &intervals, depth) {
                        Some(Ok(())) => Some(()),
                        Some(Err(what)) => return End::Missing(what),
                        None => None,
                    }
                }
                // Other processes of coding.
                0xC3 | 0xC5..=0xC7 | 0xC9..=0xCF => None,
                _ => Some(()),
            };
            if understood.is_none() || self.scans > MAX_SCANS {
                return End::Unknown;
            }
        }
    }

    fn read_frame(&mut self, segment: &[u8], is_progressive: bool) -> Option<()> {
        let number = |at: usize| {
            Some((usize::from(*segment.get(at)?) << 8) | usize::from(*segment.get(at + 1)?))
        };
        let (height, width) = (number(1)?, number(3)?);
        let components = segment.get(6..)?.as_chunks().0;
        let is_known = self.components.is_empty() && width > 0 && height > 0;
        let sampled = |[id, factors, _]: &[u8; 3]| {
            let factors = [factors >> 4, factors & 15].map(usize::from);
            factors
                .iter()
                .all(|it| (1..=4).contains(it))
                .then(|| Component::new(*id, factors))
        };
        self.components = components.iter().map(sampled).collect::<Option<_>>()?;
        self.frame.size = (width, height);
        self.is_progressive = is_progressive;
        (is_known && (1..=4).contains(&self.components.len())).then_some(())
    }

    fn read_codes(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&[head], rest)) = segment.split_first_chunk() {
            let (code, rest) = Code::read(rest)?;
            let class = self.codes.get_mut(usize::from(head >> 4))?;
            *class.get_mut(usize::from(head & 15))? = Some(code);
            segment = rest;
        }
        Some(())
    }

    fn read_interval(&mut self, segment: &[u8]) -> Option<()> {
        let &[high, low] = segment.first_chunk()?;
        self.frame.restart_interval = (usize::from(high) << 8) | usize::from(low);
        Some(())
    }

    /// `None` where the scan is not understood.
    fn read_scan(
        &mut self,
        segment: &[u8],
        intervals: &[&[u8]],
        depth: Depth,
    ) -> Option<Result<(), String>> {
        let scan = Scan::read(segment, &self.components, self.is_progressive)?;
        for &place in &scan.places {
            self.components[place].cover(&scan);
        }
        if depth == Depth::Markers {
            return Some(Ok(()));
        }
        let components = &mut self.components;
        let read = scan.read_data(intervals, components, &self.codes, self.frame)?;
        Some(read.map_err(|scan::Short| format!("the data of scan {} ends too early", self.scans)))
    }

    fn check_components(&self) -> Result<(), String> {
        match self.components.iter().filter(|it| !it.is_begun()).count() {
            0 if !self.components.is_empty() => Ok(()),
            0 => Err("it ends before the picture".to_owned()),
            missing => Err(format!(
                "the data of {missing} of its components is missing"
            )),
        }
    }

    fn check_precision(&self) -> Result<(), String> {
        if self.components.iter().all(Component::is_complete) {
            return Ok(());
        }
        Err("scans are missing".to_owned())
    }
}

/// The next marker, and where its segment starts.
fn next_marker(file: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += file.get(at..)?.iter().position(|&byte| byte == 0xFF)? + 1;
        // Bytes of 0xFF may fill the space before a marker.
        at += file[at..].iter().position(|&byte| byte != 0xFF)?;
        if file[at] != 0 {
            return Some((file[at], at + 1));
        }
    }
}

/// The data of a scan that starts here, cut at its restart markers, and where it ends.
///
/// # Errors
/// A restart marker is missing.
fn split(file: &[u8], start: usize) -> Result<(Vec<&[u8]>, usize), String> {
    let (mut intervals, mut from, mut at) = (Vec::new(), start, start);
    loop {
        let Some((marker, after)) = next_marker(file, at) else {
            intervals.push(&file[from..]);
            return Ok((intervals, file.len()));
        };
        // Where the marker's first byte of 0xFF is.
        let mut end = after - 1;
        while end > from && file[end - 1] == 0xFF {
            end -= 1;
        }
        intervals.push(&file[from..end]);
        if !(RST0..=RST7).contains(&marker) {
            return Ok((intervals, end));
        }
        let expected = (intervals.len() - 1) % 8;
        if usize::from(marker - RST0) != expected {
            let found = marker - RST0;
            return Err(format!(
                "restart marker {found} stands where {expected} is due"
            ));
        }
        (from, at) = (after, after);
    }
}

#[cfg(test)]
mod tests;
