//! Messages in and out of their compression. A message is given with its prefix, whose first byte
//! says whether it is compressed.

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::budget::Charge;
use super::encoding::Encoding;
use super::messages::{PREFIX, Unreadable};

/// The largest window of DEFLATE, which any message may have been compressed with.
const WINDOW_BITS: u8 = 15;
/// A message may have as many times the size that it has compressed, as Envoy's decompressor allows.
const MAX_RATIO: usize = 100;
/// Up to this size it may have any ratio: blank images and masks are highly compressible.
const ANY_RATIO: usize = 1 << 20;
/// Compressed bytes that one step takes; a step is shorter than a millisecond as a rule.
const STEP: usize = 16 << 10;
/// Messages of this size take long to compress or to decompress.
const LONG: usize = 64 << 10;
/// Smaller messages are sent as they are: they fit into one packet anyway.
const MIN_COMPRESSED: usize = 1 << 10;
/// The end of gzip's format has the size of what was compressed, in four bytes.
const GZIP_SIZE: usize = 4;
/// DEFLATE's best ratio.
const BEST_RATIO: usize = 1032;

/// Whether a message is compressed.
pub(crate) fn is_compressed(message: &[u8]) -> bool {
    message.first() == Some(&1)
}

/// A message that is being decompressed, in steps. Its size is bounded before memory is taken for
/// it.
#[derive(Debug)]
pub(crate) struct Decompressing {
    encoding: Encoding,
    codec: Decompress,
    compressed: Bytes,
    message: Vec<u8>,
    /// The largest size of the message.
    limit: usize,
    max_size: usize,
    /// For both forms of the message.
    charge: Charge,
}

impl Decompressing {
    /// Takes a compressed message, the charge for it, and the largest size that it may have.
    ///
    /// # Errors
    /// It says itself that it is too large.
    pub(crate) fn new(
        encoding: Encoding,
        (mut compressed, charge): (Bytes, Charge),
        max_size: usize,
    ) -> Result<Self, Unreadable> {
        let compressed = compressed.split_off(PREFIX.min(compressed.len()));
        let codec = match encoding {
            Encoding::Gzip => Decompress::new_gzip(WINDOW_BITS),
            Encoding::Deflate => Decompress::new(true),
        };
        let dense = compressed.len().saturating_mul(MAX_RATIO);
        let mut this = Self {
            encoding,
            codec,
            compressed,
            message: Vec::new(),
            limit: max_size.min(dense.max(ANY_RATIO)),
            max_size,
            charge,
        };
        let expected = this.expected_size();
        if expected > this.compressed.len().saturating_mul(BEST_RATIO) {
            return Err(this.broken("the size at its end is impossible"));
        }
        if expected > this.limit {
            return Err(this.too_large());
        }
        // One byte more than a message may have shows that it has more.
        this.reserve((expected + 1).min(this.limit + 1))?;
        Ok(this)
    }

    /// Whether it is decompressed in no time.
    pub(crate) fn is_short(&self) -> bool {
        self.compressed.len().max(self.message.capacity()) <= LONG
    }

    /// Takes a step; `None`: there is more to do.
    ///
    /// # Errors
    /// It is broken, too large, or the budget is used up.
    pub(crate) fn step(&mut self) -> Option<Result<(Bytes, Charge), Unreadable>> {
        self.advance().transpose()
    }

    fn advance(&mut self) -> Result<Option<(Bytes, Charge)>, Unreadable> {
        if self.message.len() == self.message.capacity() {
            self.reserve(
                self.message
                    .capacity()
                    .min(self.limit + 1 - self.message.len()),
            )?;
        }
        let (taken, given) = (self.codec.total_in() as usize, self.message.len());
        let end = self.compressed.len().min(taken + STEP);
        let input = &self.compressed[taken..end];
        let status = self
            .codec
            .decompress_vec(input, &mut self.message, FlushDecompress::None);
        let status = status.map_err(|error| self.broken(&error.to_string()))?;
        if self.message.len() > self.limit {
            return Err(self.too_large());
        }
        let now = self.codec.total_in() as usize;
        match status {
            Status::StreamEnd if now == self.compressed.len() => self.finish().map(Some),
            Status::StreamEnd => Err(self.broken("bytes follow its end")),
            _ if (now, self.message.len()) == (taken, given) => Err(self.broken("it ends early")),
            _ => Ok(None),
        }
    }

    /// The message without a prefix.
    fn finish(&mut self) -> Result<(Bytes, Charge), Unreadable> {
        self.compressed = Bytes::new();
        let message = Bytes::from(std::mem::take(&mut self.message));
        self.charge.set(message.len())?;
        Ok((message, self.charge.take()))
    }

    /// What a message of gzip says of its size; for others, as much as is usual.
    fn expected_size(&self) -> usize {
        match (self.encoding, self.compressed.last_chunk::<GZIP_SIZE>()) {
            (Encoding::Gzip, Some(size)) => u32::from_le_bytes(*size) as usize,
            _ => self.compressed.len().saturating_mul(4).min(self.limit),
        }
    }

    fn reserve(&mut self, more: usize) -> Result<(), Unreadable> {
        let bytes = self.message.len() + more;
        self.charge.set(PREFIX + self.compressed.len() + bytes)?;
        self.message.reserve_exact(more);
        Ok(())
    }

    fn too_large(&self) -> Unreadable {
        if self.limit == self.max_size {
            return Unreadable::TooLarge(self.max_size);
        }
        Unreadable::TooDense {
            compressed: self.compressed.len(),
            limit: self.limit,
        }
    }

    fn broken(&self, reason: &str) -> Unreadable {
        Unreadable::Broken {
            encoding: self.encoding.name(),
            reason: reason.to_owned(),
        }
    }
}

/// Whether this message of an answer is worth its compression.
pub(crate) fn is_worth(message: &[u8]) -> bool {
    message.len() >= PREFIX + MIN_COMPRESSED
}

/// Whether it takes long.
pub(crate) fn is_long(message: &[u8]) -> bool {
    message.len() > LONG
}

/// Compresses a message. One that does not get smaller stays as it is.
pub(crate) fn compress(encoding: Encoding, message: BytesMut) -> Bytes {
    smaller(encoding, &message[PREFIX..]).unwrap_or_else(|| message.freeze())
}

fn smaller(encoding: Encoding, message: &[u8]) -> Option<Bytes> {
    // The fastest: an answer is waited for.
    let level = Compression::fast();
    let mut codec = match encoding {
        Encoding::Gzip => Compress::new_gzip(level, WINDOW_BITS),
        Encoding::Deflate => Compress::new(level, true),
    };
    let mut compressed = Vec::with_capacity(PREFIX + message.len());
    compressed.put_bytes(0, PREFIX);
    let status = codec.compress_vec(message, &mut compressed, FlushCompress::Finish);
    if !matches!(status, Ok(Status::StreamEnd)) {
        return None;
    }
    let length = (compressed.len() - PREFIX) as u32;
    compressed[0] = 1;
    compressed[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    Some(compressed.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::budget::Budget;
    use super::*;

    fn framed(message: &[u8]) -> BytesMut {
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(message.len() as u32);
        framed.extend_from_slice(message);
        framed
    }

    /// Decompresses under a budget; what is left of it is charged for the message alone.
    fn decompress(
        encoding: Encoding,
        compressed: Bytes,
        (max_size, budget): (usize, usize),
    ) -> Result<Bytes, Unreadable> {
        let budget = Budget::new(budget);
        let mut charge = budget.begin();
        charge.set(compressed.len()).unwrap();
        let result = (|| {
            let mut work = Decompressing::new(encoding, (compressed, charge), max_size)?;
            loop {
                assert!(work.message.capacity() <= max_size + 1);
                if let Some(result) = work.step() {
                    return result;
                }
            }
        })();
        let result = result.map(|(message, charge)| {
            assert_eq!(budget.used(), message.len());
            drop(charge);
            message
        });
        assert_eq!(budget.used(), 0);
        result
    }

    /// As clients compress.
    fn compressed(encoding: Encoding, message: &[u8]) -> Bytes {
        compress(encoding, framed(message))
    }

    proptest! {
        #[test]
        fn a_message_comes_back(runs in proptest::collection::vec((any::<u8>(), 1..5000_usize), 0..60)) {
            let message: Vec<u8> = runs.iter().flat_map(|(byte, count)| vec![*byte; *count]).collect();
            for encoding in Encoding::ALL {
                let sent = compressed(encoding, &message);
                if is_compressed(&sent) {
                    let length = u32::from_be_bytes(sent[1..PREFIX].try_into().unwrap()) as usize;
                    prop_assert_eq!(PREFIX + length, sent.len());
                    prop_assert!(sent.len() < PREFIX + message.len());
                    let limits = (message.len(), 1 << 20);
                    let back = decompress(encoding, sent, limits).unwrap();
                    prop_assert_eq!(&back[..], &message[..]);
                } else {
                    prop_assert_eq!(&sent[..], &framed(&message)[..]);
                }
            }
        }

        #[test]
        fn noise_is_refused_within_bounds(
            noise: Vec<u8>,
            max_size in 0_usize..5000,
            header: bool,
        ) {
            for encoding in Encoding::ALL {
                // Behind the beginning of an honest message it gets further.
                let honest = compressed(encoding, &[7; 4000]);
                let begin = if header { &honest[PREFIX..PREFIX + 12] } else { &[] };
                let mut noise = framed(&[begin, &noise].concat());
                noise[0] = 1;
                let _ = decompress(encoding, noise.freeze(), (max_size, 20_000));
            }
        }
    }

    #[test]
    fn a_message_is_as_large_as_it_may_be() {
        let message: Vec<u8> = (0..300_000_u32).map(|it| (it / 7) as u8).collect();
        for encoding in Encoding::ALL {
            let sent = compressed(encoding, &message);
            let whole = decompress(encoding, sent.clone(), (300_000, 1 << 20)).unwrap();
            assert_eq!(whole, message);
            let error = decompress(encoding, sent.clone(), (299_999, 1 << 20));
            assert!(
                matches!(error, Err(Unreadable::TooLarge(299_999))),
                "{error:?}"
            );
            let error = decompress(encoding, sent, (300_000, 200_000));
            assert!(matches!(error, Err(Unreadable::NoRoom(_))), "{error:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_explodes() {
        let limits = (64 << 20, 128 << 20);
        for encoding in Encoding::ALL {
            let blank = compressed(encoding, &vec![0; ANY_RATIO]);
            assert!(blank.len() * MAX_RATIO < ANY_RATIO, "{}", blank.len());
            assert_eq!(
                decompress(encoding, blank, limits).unwrap().len(),
                ANY_RATIO
            );
            let bomb = compressed(encoding, &vec![0; 8 << 20]);
            let error = decompress(encoding, bomb, limits).unwrap_err();
            assert!(matches!(error, Unreadable::TooDense { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_broken_is_named() {
        for encoding in Encoding::ALL {
            let sent = compressed(encoding, &[1; 3000]);
            let change = |change: &dyn Fn(&mut Vec<u8>)| {
                let mut bytes = sent.to_vec();
                change(&mut bytes);
                let error = decompress(encoding, bytes.into(), (3000, 1 << 20)).unwrap_err();
                error.to_string()
            };
            let words = format!("cannot be decompressed ({}): ", encoding.name());
            let early = change(&|bytes| bytes.truncate(bytes.len() - 1));
            assert!(early.starts_with(&words), "{early}");
            let error = change(&|bytes| *bytes.last_mut().unwrap() ^= 1);
            assert!(error.starts_with(&words), "{error}");
            assert!(change(&|bytes| bytes[PREFIX] ^= 0xff).starts_with(&words));
            assert!(change(&|bytes| bytes.truncate(PREFIX)).starts_with(&words));
        }
        let mut trailing = compressed(Encoding::Deflate, &[1; 3000]).to_vec();
        trailing.push(0);
        let error = decompress(Encoding::Deflate, trailing.into(), (3000, 1 << 20));
        assert!(
            error
                .unwrap_err()
                .to_string()
                .ends_with("bytes follow its end")
        );
    }
}
