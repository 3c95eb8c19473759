//! What became of an image before the model saw it.

use quintet_client::{DroppedKind, Explanation, Polarity};
use serde::Serialize;

use super::frame;
use crate::output;

/// What `--json` prints of it.
#[derive(Debug, Serialize)]
pub(super) struct ExplanationReport<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<FrameReport<'a>>,
    ink_found: Option<bool>,
    polarity: Option<Polarity>,
    dropped: Vec<DroppedReport>,
    #[serde(skip)]
    explanation: &'a Explanation,
}

#[derive(Debug, Default, Serialize)]
struct FrameReport<'a> {
    width: u32,
    height: u32,
    channels: u32,
    pixels: &'a [u8],
}

#[derive(Debug, Serialize)]
struct DroppedReport {
    kind: DroppedKind,
    count: u32,
}

impl<'a> ExplanationReport<'a> {
    /// `show_frame`: whether it holds the frame's pixels.
    pub(super) fn of(explanation: &'a Explanation, show_frame: bool) -> Self {
        let dropped = explanation.dropped.iter();
        let pixels = explanation.frame.as_raw().map(|raw| FrameReport {
            width: raw.width,
            height: raw.height,
            channels: raw.channels,
            pixels: raw.data,
        });
        Self {
            frame: show_frame.then(|| pixels.unwrap_or_default()),
            ink_found: explanation.ink_found,
            polarity: explanation.polarity,
            dropped: dropped
                .map(|&(kind, count)| DroppedReport { kind, count })
                .collect(),
            explanation,
        }
    }

    /// Whether a digit was looked for.
    pub(super) fn is_of_a_digit(&self) -> bool {
        self.ink_found.is_some()
    }

    /// A line that says what is beside the digit: it may be another one.
    pub(super) fn note(&self, image: &str) -> Option<String> {
        let is_neighbour = |it: &&DroppedReport| it.kind == DroppedKind::Neighbour;
        let count = self.dropped.iter().find(is_neighbour)?.count;
        let neighbours = output::count(count.into(), "neighbour");
        Some(format!(
            "note: {image}: not read: {neighbours} of the digit\n"
        ))
    }

    /// The frame, and a line about what was found.
    pub(super) fn render(&self, image: &str) -> String {
        let mut found = Vec::new();
        match (self.ink_found, self.polarity) {
            (Some(true), Some(Polarity::DarkOnLight)) => found.push("dark on light".to_owned()),
            (Some(true), Some(Polarity::LightOnDark)) => found.push("light on dark".to_owned()),
            (Some(false), _) => found.push("no digit".to_owned()),
            _ => {}
        }
        if !self.dropped.is_empty() {
            let dropped = self.dropped.iter();
            let words: Vec<_> = dropped.map(|it| words(it.kind, it.count)).collect();
            found.push(format!("dropped {}", words.join(", ")));
        }
        let head = match &found[..] {
            [] => format!("{image}\n"),
            found => format!("{image}: {}\n", found.join(", ")),
        };
        head + &frame::draw(&self.explanation.frame) + "\n"
    }
}

fn words(kind: DroppedKind, count: u32) -> String {
    let noun = match kind {
        DroppedKind::Surroundings => return "what is around the paper".to_owned(),
        DroppedKind::AtEdge => return format!("{count} at the edge"),
        DroppedKind::Shadow => "shadow",
        DroppedKind::Line => "line",
        DroppedKind::Speck => "speck",
        DroppedKind::Neighbour => "neighbour",
        _ => "unknown thing",
    };
    output::count(count.into(), noun)
}
