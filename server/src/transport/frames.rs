//! A walk over the frames that a peer sends (RFC 9113, section 4): what counts as a sign of life,
//! and what has to change before h2 reads it.

use super::header_block::HeaderBlock;

/// The bytes of a client's preface.
const PREFACE: usize = 24;
/// The bytes of a frame's header.
const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Where a walk is. Frames may come in pieces, cut anywhere.
#[derive(Debug)]
pub(super) struct Frames {
    next: Next,
    block: HeaderBlock,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    /// The rest of the preface.
    Preface { left: usize },
    /// The rest of a frame's header.
    Header { bytes: [u8; HEADER], count: usize },
    /// The rest of a frame of headers.
    Headers {
        ends_block: bool,
        /// What comes before the block: the length of the padding, and the priority.
        before: usize,
        is_padded: bool,
        /// Block and padding.
        left: usize,
        padding: usize,
    },
    /// The rest of another frame.
    Other { is_data: bool, left: usize },
}

impl Frames {
    /// At the start of a connection.
    pub(super) fn new() -> Self {
        Self {
            next: Next::Preface { left: PREFACE },
            block: HeaderBlock::default(),
        }
    }

    /// Walks over the next bytes. Returns whether they are a sign of life: the end of a frame, or
    /// data. A list of headers is one only when it is complete, so that nobody can send one for ever.
    pub(super) fn walk(&mut self, mut bytes: &mut [u8]) -> bool {
        let mut is_alive = false;
        while !bytes.is_empty() {
            let taken = self.step(bytes, &mut is_alive);
            bytes = &mut bytes[taken..];
        }
        is_alive
    }

    /// Walks over the bytes of one kind that come next. Returns how many they are.
    fn step(&mut self, bytes: &mut [u8], is_alive: &mut bool) -> usize {
        match &mut self.next {
            Next::Preface { left } => {
                let taken = bytes.len().min(*left);
                *left -= taken;
                if *left == 0 {
                    self.next = Next::frame();
                }
                taken
            }
            Next::Header {
                bytes: header,
                count,
            } => {
                let taken = bytes.len().min(HEADER - *count);
                header[*count..*count + taken].copy_from_slice(&bytes[..taken]);
                *count += taken;
                if *count == HEADER {
                    let header = *header;
                    self.next = self.begin(header);
                    self.end_if_complete(is_alive);
                }
                taken
            }
            Next::Headers {
                before,
                is_padded,
                left,
                padding,
                ..
            } => {
                let taken = if *before > 0 {
                    if std::mem::take(is_padded) {
                        *padding = usize::from(bytes[0]).min(*left);
                        *before -= 1;
                        1
                    } else {
                        let taken = bytes.len().min(*before);
                        *before -= taken;
                        taken
                    }
                } else if *left > *padding {
                    let taken = bytes.len().min(*left - *padding);
                    self.block.walk(&mut bytes[..taken]);
                    *left -= taken;
                    taken
                } else {
                    let taken = bytes.len().min(*left);
                    *padding -= taken;
                    *left -= taken;
                    taken
                };
                self.end_if_complete(is_alive);
                taken
            }
            Next::Other { is_data, left } => {
                let taken = bytes.len().min(*left);
                *left -= taken;
                *is_alive |= *is_data;
                self.end_if_complete(is_alive);
                taken
            }
        }
    }

    /// What follows a frame's header.
    fn begin(&mut self, header: [u8; HEADER]) -> Next {
        let [a, b, c, kind, flags, ..] = header;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if kind != HEADERS && kind != CONTINUATION {
            return Next::Other {
                is_data: kind == DATA,
                left: length,
            };
        }
        let flags = if kind == HEADERS {
            self.block = HeaderBlock::default();
            flags
        } else {
            flags & END_HEADERS
        };
        let is_padded = flags & PADDED != 0;
        let before = usize::from(is_padded) + 5 * usize::from(flags & PRIORITY != 0);
        let before = before.min(length);
        Next::Headers {
            ends_block: flags & END_HEADERS != 0,
            before,
            is_padded: is_padded && before > 0,
            left: length - before,
            padding: 0,
        }
    }

    fn end_if_complete(&mut self, is_alive: &mut bool) {
        let is_sign = match self.next {
            Next::Headers {
                ends_block,
                before: 0,
                left: 0,
                ..
            } => ends_block,
            Next::Other { left: 0, .. } => true,
            _ => return,
        };
        *is_alive |= is_sign;
        self.next = Next::frame();
    }
}

impl Next {
    fn frame() -> Self {
        Self::Header {
            bytes: [0; HEADER],
            count: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: u8 = 4;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
        [&[a, b, c, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// The frames of a connection, in the order of a list.
    fn connection(authority: &str) -> Vec<u8> {
        let value = [&[0x41, authority.len() as u8], authority.as_bytes()].concat();
        let (start, end) = value.split_at(3);
        let padded = [&[2, 0, 0, 0, 0, 9], &value[..], b"%%"].concat();
        [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, b""),
            frame(HEADERS, END_HEADERS, &value),
            frame(DATA, 0, b"A%A\x01%"),
            frame(HEADERS, END_HEADERS | PADDED | PRIORITY, &padded),
            frame(HEADERS, 0, start),
            frame(CONTINUATION, END_HEADERS, end),
            frame(HEADERS, PADDED, b""),
        ]
        .concat()
    }

    #[test]
    fn headers_are_a_sign_of_life_when_they_are_complete() {
        let mut frames = Frames::new();
        assert!(!frames.walk(&mut b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()));
        assert!(frames.walk(&mut frame(SETTINGS, 0, b"123456")));
        let mut headers = frame(HEADERS, 0, b"\x41\x01a");
        let (most, last) = headers.split_at_mut(11);
        assert!(!frames.walk(most) && !frames.walk(last));
        assert!(!frames.walk(&mut frame(CONTINUATION, 0, b"\x41")));
        assert!(!frames.walk(&mut frame(CONTINUATION, 0, b"")));
        assert!(frames.walk(&mut frame(CONTINUATION, END_HEADERS, b"\x01a")));
        let mut data = frame(DATA, 0, b"abc");
        assert!(!frames.walk(&mut data[..9]));
        assert!(frames.walk(&mut data[9..10]) && frames.walk(&mut data[10..]));
    }

    proptest! {
        #[test]
        fn frames_in_pieces_are_the_same_frames(
            cuts in proptest::collection::vec(0_usize..30, 0..60),
        ) {
            let mut bytes = connection("a%3A1");
            let (mut frames, mut from) = (Frames::new(), 0);
            for cut in cuts {
                let to = (from + cut).min(bytes.len());
                frames.walk(&mut bytes[from..to]);
                from = to;
            }
            frames.walk(&mut bytes[from..]);
            prop_assert_eq!(bytes, connection("a-3A1"));
        }

        #[test]
        fn noise_is_no_reason_to_panic(noise: Vec<u8>) {
            let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
            Frames::new().walk(&mut [&preface[..], &noise].concat());
        }
    }
}
