//! A scan: which coefficients it holds, and whether its data holds all of them (T.81, annexes F and
//! G). Only the length of the codes matters, not the values.

use super::bits::{Bits, Code};

/// The data ends before the last code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short;

/// Coefficients of a block.
const COEFFICIENTS: usize = 64;

/// A component of the picture, and what scans have said of it.
#[derive(Debug)]
pub(super) struct Component {
    id: u8,
    /// Blocks across and down in an interleaved unit.
    factors: [usize; 2],
    /// The lowest bit of each coefficient that has come; `None` before the first.
    lowest: [Option<u8>; COEFFICIENTS],
    /// For each block, which coefficients are not zero so far. Only progressive scans need it.
    known: Vec<u64>,
}

impl Component {
    pub(super) fn new(id: u8, factors: [usize; 2]) -> Self {
        Self {
            id,
            factors,
            lowest: [None; COEFFICIENTS],
            known: Vec::new(),
        }
    }

    /// Blocks in an interleaved unit.
    pub(super) fn blocks(&self) -> u64 {
        self.factors.iter().product::<usize>() as u64
    }

    /// Whether there is a first scan of it.
    pub(super) fn is_begun(&self) -> bool {
        self.lowest[0].is_some()
    }

    /// Whether all bits of all coefficients have come.
    pub(super) fn is_complete(&self) -> bool {
        self.lowest.iter().all(|lowest| *lowest == Some(0))
    }

    /// Takes note of a scan.
    pub(super) fn cover(&mut self, scan: &Scan) {
        self.lowest[scan.first..=scan.last].fill(Some(scan.lowest));
    }
}

/// What holds for all scans of a picture.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    /// Width and height in pixels.
    pub(super) size: (usize, usize),
    /// Units between two restart markers; 0 where there are none.
    pub(super) restart_interval: usize,
}

/// The header of a scan.
#[derive(Debug)]
pub(super) struct Scan {
    /// Places of its components in the picture's list.
    pub(super) places: Vec<usize>,
    /// Of each component, the codes of DC and of AC coefficients.
    codes: Vec<[usize; 2]>,
    first: usize,
    last: usize,
    lowest: u8,
    is_refinement: bool,
    is_progressive: bool,
}

/// The codes of DC and AC coefficients that a scan may name.
type Codes = [[Option<Code>; 4]; 2];

impl Scan {
    /// `None` where it is not understood.
    pub(super) fn read(
        segment: &[u8],
        components: &[Component],
        is_progressive: bool,
    ) -> Option<Self> {
        let (&count, rest) = segment.split_first()?;
        let (named, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, bits] = rest.first_chunk()?;
        let place = |id: u8| components.iter().position(|component| component.id == id);
        let named = named.as_chunks::<2>().0;
        let (first, last) = if is_progressive {
            (usize::from(first), usize::from(last))
        } else {
            (0, COEFFICIENTS - 1)
        };
        let scan = Self {
            places: named
                .iter()
                .map(|[id, _]| place(*id))
                .collect::<Option<_>>()?,
            codes: named
                .iter()
                .map(|[_, codes]| [codes >> 4, codes & 15].map(usize::from))
                .collect(),
            first,
            last,
            lowest: if is_progressive { bits & 15 } else { 0 },
            is_refinement: is_progressive && bits >> 4 != 0,
            is_progressive,
        };
        let is_one = scan.places.len() == 1;
        let has_a_band = if first == 0 {
            !is_progressive || last == 0
        } else {
            is_one
        };
        let is_sound = (1..=4).contains(&scan.places.len()) && last < COEFFICIENTS;
        (is_sound && first <= last && has_a_band).then_some(scan)
    }

    /// Reads all codes; `None` where a code is not there.
    pub(super) fn read_data(
        &self,
        intervals: &[&[u8]],
        components: &mut [Component],
        codes: &Codes,
        frame: Frame,
    ) -> Option<Result<(), Short>> {
        let Frame {
            size,
            restart_interval,
        } = frame;
        let most = |axis: usize| components.iter().map(|it| it.factors[axis]).max();
        let most = [most(0)?, most(1)?];
        let blocks = |pixels: usize, factor: usize, axis: usize| {
            (pixels * factor).div_ceil(most[axis]).div_ceil(8)
        };
        let units = match *self.places.as_slice() {
            [place] => {
                let [across, down] = components[place].factors;
                [blocks(size.0, across, 0), blocks(size.1, down, 1)]
            }
            _ => [size.0.div_ceil(8 * most[0]), size.1.div_ceil(8 * most[1])],
        };
        let code =
            |class: usize, place: usize| codes[class].get(self.codes[place][class])?.as_ref();
        let needs = [self.first == 0 && !self.is_refinement, self.last > 0];
        let have = |class: usize| (0..self.places.len()).all(|place| code(class, place).is_some());
        if (0..2).any(|class| needs[class] && !have(class)) {
            return None;
        }
        let units = units[0] * units[1];
        if self.is_progressive && self.last > 0 {
            components[self.places[0]].known.resize(units, 0);
        }
        let per_interval = if restart_interval == 0 {
            units
        } else {
            restart_interval
        };
        let mut data = intervals.iter();
        let mut read = || -> Result<(), Short> {
            let mut done = 0;
            while done < units {
                let mut bits = Bits::of(data.next().ok_or(Short)?);
                let mut run = 0;
                for unit in done..(done + per_interval).min(units) {
                    for (place, &component) in self.places.iter().enumerate() {
                        let codes = [code(0, place), code(1, place)];
                        let component = &mut components[component];
                        let blocks = match self.places.len() {
                            1 => 1,
                            _ => component.factors.iter().product(),
                        };
                        for _ in 0..blocks {
                            match codes {
                                _ if self.is_progressive => {
                                    let known = component.known.get_mut(unit);
                                    self.read_progressive(&mut bits, codes, known, &mut run)?;
                                }
                                [Some(dc), Some(ac)] => read_block(&mut bits, dc, ac)?,
                                _ => {}
                            }
                        }
                    }
                }
                done += per_interval;
            }
            Ok(())
        };
        Some(read())
    }

    /// A block of a progressive scan. `run` counts blocks that hold nothing more.
    fn read_progressive(
        &self,
        bits: &mut Bits<'_>,
        [dc, ac]: [Option<&Code>; 2],
        known: Option<&mut u64>,
        run: &mut u32,
    ) -> Result<(), Short> {
        match (dc, ac, known) {
            _ if self.first == 0 && self.is_refinement => bits.bit().map(drop),
            (Some(dc), ..) if self.first == 0 => read_value(bits, dc),
            (_, Some(ac), Some(known)) if self.is_refinement => self.refine(bits, ac, known, run),
            (_, Some(ac), Some(known)) => self.read_band(bits, ac, known, run),
            _ => Ok(()),
        }
    }

    /// The first scan of AC coefficients (T.81, G.1.2.2).
    fn read_band(
        &self,
        bits: &mut Bits<'_>,
        code: &Code,
        known: &mut u64,
        run: &mut u32,
    ) -> Result<(), Short> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut at = self.first;
        while at <= self.last {
            let symbol = bits.symbol(code)?;
            let (zeros, size) = (symbol >> 4, symbol & 15);
            at += usize::from(zeros);
            if size > 0 {
                bits.number(size)?;
                *known |= 1_u64.checked_shl(at as u32).unwrap_or(0);
            } else if zeros < 15 {
                *run = (1 << zeros) - 1 + bits.number(zeros)?;
                break;
            }
            at += 1;
        }
        Ok(())
    }

    /// A further bit of AC coefficients (T.81, G.1.2.3).
    fn refine(
        &self,
        bits: &mut Bits<'_>,
        code: &Code,
        known: &mut u64,
        run: &mut u32,
    ) -> Result<(), Short> {
        let is_known = |known: u64, at: usize| (known >> at) & 1 == 1;
        let mut at = self.first;
        while *run == 0 && at <= self.last {
            let symbol = bits.symbol(code)?;
            let (mut zeros, size) = (symbol >> 4, symbol & 15);
            if size > 0 {
                bits.bit()?;
            } else if zeros < 15 {
                *run = (1 << zeros) + bits.number(zeros)?;
                break;
            }
            while at <= self.last {
                if is_known(*known, at) {
                    bits.bit()?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if size > 0 && at <= self.last {
                *known |= 1 << at;
            }
            at += 1;
        }
        if *run > 0 {
            for at in at..=self.last {
                if is_known(*known, at) {
                    bits.bit()?;
                }
            }
            *run -= 1;
        }
        Ok(())
    }
}

/// A code, and the value of as many bits as it says.
fn read_value(bits: &mut Bits<'_>, code: &Code) -> Result<(), Short> {
    let size = bits.symbol(code)?;
    bits.number(size.min(16)).map(drop)
}

/// A block of a sequential scan (T.81, F.1.2).
fn read_block(bits: &mut Bits<'_>, dc: &Code, ac: &Code) -> Result<(), Short> {
    read_value(bits, dc)?;
    let mut at = 1;
    while at < COEFFICIENTS {
        let symbol = bits.symbol(ac)?;
        let (zeros, size) = (usize::from(symbol >> 4), symbol & 15);
        match (zeros, size) {
            (15, 0) => {}
            (_, 0) => return Ok(()),
            _ => drop(bits.number(size)?),
        }
        at += zeros + 1;
    }
    Ok(())
}
