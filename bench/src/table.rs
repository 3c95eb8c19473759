//! What all measurements share: passes over models, their medians, and a Markdown table of them.

use crate::Result;
use crate::machine::Watch;

/// A model at a concurrency, measured again and again.
#[derive(Debug)]
pub(crate) struct Series<P> {
    pub(crate) model: String,
    pub(crate) concurrency: usize,
    pub(crate) passes: Vec<P>,
}

/// One measurement of everything that a row compares.
pub(crate) trait Pass: Sized {
    /// The table's head.
    const HEADER: &str;

    /// The model's row, with its newline.
    fn row(series: &Series<Self>) -> String;

    /// How it was measured, after "Medians of 3 interleaved passes of 3 s".
    fn note(table: &[Series<Self>]) -> String;
}

/// Measures every row once a pass, so that all of them see the machine's good and bad minutes, and
/// gives the table.
pub(crate) fn measure<P: Pass>(
    mut table: Vec<Series<P>>,
    passes: u32,
    seconds: u64,
    mut measure: impl FnMut(&Series<P>) -> Result<P>,
) -> Result<String> {
    let watch = Watch::start();
    for pass in 1..=passes {
        for series in &mut table {
            let (model, concurrency) = (&series.model, series.concurrency);
            crate::say(&format!(
                "pass {pass} of {passes}: {model} at concurrency {concurrency}"
            ));
            let measured = measure(series)?;
            series.passes.push(measured);
        }
    }
    Ok(render(&table, &watch.describe(), seconds))
}

pub(crate) fn render<P: Pass>(table: &[Series<P>], machine: &str, seconds: u64) -> String {
    let rows: String = table.iter().map(P::row).collect();
    let passes = table.first().map_or(0, |series| series.passes.len());
    let (header, note) = (P::HEADER, P::note(table));
    format!(
        "{header}{rows}\n{machine}. Medians of {passes} interleaved passes of {seconds} s{note}\n"
    )
}

/// The middle value, the mean of the two middle ones of an even number; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => 0.0,
        all if all.len() % 2 == 1 => all[middle],
        all => f64::midpoint(all[middle - 1], all[middle]),
    }
}

impl<P> Series<P> {
    pub(crate) fn new(model: &str, concurrency: usize) -> Self {
        Self {
            model: model.to_owned(),
            concurrency,
            passes: Vec::new(),
        }
    }

    /// The median of a figure over the passes.
    pub(crate) fn median(&self, figure: impl Fn(&P) -> f64) -> f64 {
        median(self.passes.iter().map(figure).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, middle) in [
            (vec![], 0.0),
            (vec![3.0], 3.0),
            (vec![9.0, 1.0, 2.0], 2.0),
            (vec![4.0, 1.0, 2.0, 9.0], 3.0),
        ] {
            assert!(median(values).total_cmp(&middle).is_eq(), "{middle}");
        }
    }
}
