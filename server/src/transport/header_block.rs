//! A walk over HPACK's header blocks (RFC 7541), as far as finding the value of `:authority` needs.
//!
//! h2 refuses an authority that is not a URI's. gRPC's C core sends one for a target of several
//! addresses: `10.0.0.1:50051,10.0.0.2:50051`, in some versions with each colon as `%3A`. Nothing
//! here routes by authority, so what follows a comma or a percent sign in it is made acceptable
//! before h2 reads it, also where a proxy has compressed it ([`super::huffman`]).

use super::huffman::Huffman;

const AUTHORITY: &[u8] = b":authority";
/// The place of `:authority` in HPACK's static table.
const AUTHORITY_INDEX: u8 = 1;

/// Where a walk is. A block may come in pieces, cut anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct HeaderBlock {
    next: Next,
    /// Whether the field that is being walked is `:authority`, so far.
    is_authority: bool,
    /// Whether its value has a comma or a percent sign, so far.
    is_list: bool,
    /// Where the walk is in a compressed value.
    huffman: Huffman,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Next {
    /// The first of a field.
    #[default]
    Field,
    /// One of an integer's further bytes, after which `then` comes.
    Integer { then: After },
    /// The first of a string's length.
    Length(Text),
    /// One of the further bytes of a string's length.
    Longer {
        text: Text,
        is_plain: bool,
        length: u64,
        shift: u32,
    },
    /// One of a string's.
    Text {
        text: Text,
        is_plain: bool,
        left: u64,
        at: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Field,
    Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Name,
    Value,
}

impl HeaderBlock {
    /// Walks over the next bytes of a block and makes an `:authority` in them acceptable to h2.
    pub(super) fn walk(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let skipped = self.skip(bytes.len() - at);
            if skipped == 0 {
                if let Next::Text {
                    text: Text::Value,
                    is_plain: false,
                    ..
                } = self.next
                {
                    self.huffman.walk(&mut bytes[..=at], &mut self.is_list);
                }
                self.next = self.step(&mut bytes[at]);
            }
            at += skipped.max(1);
        }
    }

    /// Passes over a string that is none of `:authority`'s. Returns how many of the next `count`
    /// bytes belong to it.
    fn skip(&mut self, count: usize) -> usize {
        let is_authority = self.is_authority;
        match &mut self.next {
            Next::Text { text, left, .. } if !is_authority => {
                let skipped = (*left).min(count as u64);
                *left -= skipped;
                if *left == 0 {
                    self.next = text.after();
                }
                skipped as usize
            }
            _ => 0,
        }
    }

    fn step(&mut self, byte: &mut u8) -> Next {
        match self.next {
            Next::Field => self.field(*byte),
            Next::Integer { then } => match (*byte & 0x80 != 0, then) {
                (true, _) => self.next,
                (false, After::Field) => Next::Field,
                (false, After::Value) => Next::Length(Text::Value),
            },
            Next::Length(text) => {
                let (is_plain, length) = (*byte & 0x80 == 0, u64::from(*byte & 0x7f));
                if length == 0x7f {
                    return Next::Longer {
                        text,
                        is_plain,
                        length,
                        shift: 0,
                    };
                }
                self.text(text, is_plain, length)
            }
            Next::Longer {
                text,
                is_plain,
                length,
                shift,
            } => {
                // h2 refuses longer integers.
                let more = u64::from(*byte & 0x7f).checked_shl(shift);
                let length = length.saturating_add(more.unwrap_or(u64::MAX));
                if *byte & 0x80 == 0 {
                    return self.text(text, is_plain, length);
                }
                Next::Longer {
                    text,
                    is_plain,
                    length,
                    shift: shift + 7,
                }
            }
            Next::Text {
                text,
                is_plain,
                left,
                at,
            } => {
                match text {
                    Text::Name => self.is_authority &= AUTHORITY.get(at) == Some(byte),
                    Text::Value if self.is_authority && is_plain => {
                        self.is_list |= matches!(*byte, b'%' | b',');
                        if self.is_list && matches!(*byte, b'%' | b':' | b'[' | b']' | b'@') {
                            *byte = b'-';
                        }
                    }
                    Text::Value => {}
                }
                if left == 1 {
                    return text.after();
                }
                Next::Text {
                    text,
                    is_plain,
                    left: left - 1,
                    at: at + 1,
                }
            }
        }
    }

    /// After the first byte of a field.
    fn field(&mut self, byte: u8) -> Next {
        let (prefix, is_literal) = match byte {
            0x80.. => (0x7f, false),
            0x40.. => (0x3f, true),
            0x20.. => (0x1f, false),
            _ => (0x0f, true),
        };
        let (index, then) = if is_literal {
            (byte & prefix, After::Value)
        } else {
            (byte & prefix, After::Field)
        };
        self.is_authority = is_literal && index <= AUTHORITY_INDEX;
        self.is_list = false;
        match (index, then) {
            (index, _) if index == prefix => Next::Integer { then },
            (_, After::Field) => Next::Field,
            (0, After::Value) => Next::Length(Text::Name),
            (_, After::Value) => Next::Length(Text::Value),
        }
    }

    /// At the beginning of a string.
    fn text(&mut self, text: Text, is_plain: bool, length: u64) -> Next {
        if text == Text::Name {
            self.is_authority = is_plain && length == AUTHORITY.len() as u64;
        }
        if length == 0 {
            return text.after();
        }
        self.huffman = Huffman::default();
        Next::Text {
            text,
            is_plain,
            left: length,
            at: 0,
        }
    }
}

impl Text {
    fn after(self) -> Next {
        match self {
            Self::Name => Next::Length(Self::Value),
            Self::Value => Next::Field,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::huffman::tests::encode;
    use super::*;

    fn string(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        if text.len() < 0x7f {
            bytes.push(text.len() as u8);
        } else {
            bytes.push(0x7f);
            let mut rest = text.len() - 0x7f;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    fn literal(name: &str, value: &str) -> Vec<u8> {
        [vec![0x40], string(name), string(value)].concat()
    }

    fn block(authority: &str, other: &str) -> Vec<u8> {
        [
            vec![0x83, 0x86, 0x3f, 0xe1, 0x1f],
            literal("x-before", other),
            // By the static table's index in both kinds of literals, then by name.
            [vec![0x41], string(authority)].concat(),
            [vec![0x01], string(authority)].concat(),
            literal(":authority", authority),
            [vec![0x7f, 0x01], string(other)].concat(),
            literal("x-after", other),
            vec![0xff, 0x80, 0x01],
        ]
        .concat()
    }

    #[test]
    fn a_compressed_authority_is_made_acceptable() {
        let block = |authority| {
            let value = encode(authority);
            let length = 0x80 | value.len() as u8;
            [&[0x41, length], &value[..], &literal("x", "a,b%")].concat()
        };
        let mut bytes = block("10.0.0.1:1,[a]:2");
        let mut walk = HeaderBlock::default();
        walk.walk(&mut bytes);
        assert_eq!(bytes, block("10.0.0.1:1,~a~B2"));
        assert_eq!(walk.next, Next::Field);
    }

    #[test]
    fn the_authority_alone_is_made_acceptable() {
        let long = "%".repeat(700);
        for (given, becomes) in [
            ("127.0.0.1%3A1,127.0.0.1%3A2", "127.0.0.1-3A1,127.0.0.1-3A2"),
            ("%5B::1%5D:50051", "-5B--1-5D-50051"),
            ("10.0.0.1:1,10.0.0.2:2", "10.0.0.1:1,10.0.0.2-2"),
            ("[::1]:1,[::1]:2", "[::1]:1,---1--2"),
            ("[::1]:50051", "[::1]:50051"),
            (&long, &"-".repeat(700)),
            ("", ""),
        ] {
            let (mut bytes, expected) = (block(given, "50%25"), block(becomes, "50%25"));
            let mut walk = HeaderBlock::default();
            walk.walk(&mut bytes);
            assert_eq!(bytes, expected);
            assert_eq!(walk.next, Next::Field);
        }
    }

    proptest! {
        #[test]
        fn a_block_in_pieces_is_the_same_block(cuts in proptest::collection::vec(0_usize..20, 0..40)) {
            let mut bytes = block("a%3A1,b%3A2", "c%d");
            let mut walk = HeaderBlock::default();
            let mut from = 0;
            for cut in cuts {
                let to = (from + cut).min(bytes.len());
                walk.walk(&mut bytes[from..to]);
                from = to;
            }
            walk.walk(&mut bytes[from..]);
            prop_assert_eq!(bytes, block("a-3A1,b-3A2", "c%d"));
        }

        #[test]
        fn noise_is_no_reason_to_panic(mut noise: Vec<u8>) {
            HeaderBlock::default().walk(&mut noise);
        }
    }
}
