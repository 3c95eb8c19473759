//! How good probabilities are: loss, accuracy, calibration, confusion.

/// What a network gave for labelled samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean of -ln(probability of the true label).
    pub loss: f64,
    /// How far the probability of the given label is from how often it is the true one, on
    /// average: the expected calibration error of Guo et al. 2017, in 0..=1.
    pub calibration_error: f64,
    /// Which label was given for which.
    pub confusion: Confusion,
}

/// Bins of equal width of the probabilities of given labels.
#[derive(Debug, Default)]
struct Calibration([Bin; 15]);

#[derive(Debug, Default, Clone, Copy)]
struct Bin {
    samples: u64,
    correct: u64,
    /// Of the probabilities.
    sum: f64,
}

/// Counts by true label (row) and given label (column).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion(pub Vec<Vec<u64>>);

/// The label with the highest probability, and that probability.
pub fn top(row: &[f32]) -> (usize, f32) {
    let higher = |best: (usize, f32), next: (usize, f32)| if next.1 > best.1 { next } else { best };
    let start = (0, f32::NEG_INFINITY);
    row.iter().copied().enumerate().fold(start, higher)
}

impl Evaluation {
    /// Judges `probabilities` by the `n` true labels. They are `[n, C]`, row after row, or `[n]` of
    /// the second of two classes.
    pub fn new(probabilities: &[f32], labels: &[i64]) -> Self {
        if probabilities.len() == labels.len() {
            let both = |&score: &f32| [1.0 - score, score];
            let both: Vec<f32> = probabilities.iter().flat_map(both).collect();
            return Self::of_rows(&both, 2, labels);
        }
        Self::of_rows(probabilities, probabilities.len() / labels.len(), labels)
    }

    fn of_rows(probabilities: &[f32], classes: usize, labels: &[i64]) -> Self {
        let mut confusion = Confusion::new(classes);
        let mut calibration = Calibration::default();
        let mut loss = 0.0;
        for (row, &label) in probabilities.chunks_exact(classes).zip(labels) {
            let truth = label as usize;
            let (given, probability) = top(row);
            confusion.0[truth][given] += 1;
            calibration.add(probability, given == truth);
            // The smallest float32 keeps a certain mistake finite.
            loss -= f64::from(row[truth].max(f32::MIN_POSITIVE)).ln();
        }
        Self {
            loss: loss / labels.len() as f64,
            calibration_error: calibration.error(),
            confusion,
        }
    }

    /// The part of the samples that got their true label, in 0..=1.
    pub fn accuracy(&self) -> f64 {
        self.confusion.correct() as f64 / self.confusion.total() as f64
    }

    /// The figures and the confusion as text; `labels` are the names of the classes.
    pub fn report<T: AsRef<str>>(&self, labels: &[T]) -> String {
        let (correct, total) = (self.confusion.correct(), self.confusion.total());
        format!(
            "accuracy  {:.2} %  ({correct} of {total})\nloss      {:.4}\n\
             expected calibration error  {:.4}\n\n{}",
            100.0 * self.accuracy(),
            self.loss,
            self.calibration_error,
            self.confusion.table(labels),
        )
    }
}

impl Calibration {
    fn add(&mut self, probability: f32, is_correct: bool) {
        let last = self.0.len() - 1;
        let place = (probability * self.0.len() as f32) as usize;
        let bin = &mut self.0[place.min(last)];
        bin.samples += 1;
        bin.correct += u64::from(is_correct);
        bin.sum += f64::from(probability);
    }

    /// The mean over all samples of how far their bin is off.
    fn error(&self) -> f64 {
        let off = self
            .0
            .iter()
            .map(|bin| (bin.sum - bin.correct as f64).abs());
        let samples: u64 = self.0.iter().map(|bin| bin.samples).sum();
        off.sum::<f64>() / samples as f64
    }
}

impl Confusion {
    /// No sample of any of `classes` classes yet.
    pub fn new(classes: usize) -> Self {
        Self(vec![vec![0; classes]; classes])
    }

    /// Samples that got their true label.
    pub fn correct(&self) -> u64 {
        (0..self.0.len()).map(|label| self.0[label][label]).sum()
    }

    /// All samples.
    pub fn total(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// The counts as a table with each class's recall; `labels` are the names of the classes.
    fn table<T: AsRef<str>>(&self, labels: &[T]) -> String {
        let label = |class: usize| labels.get(class).map_or("?", AsRef::as_ref);
        let widest = (0..self.0.len()).map(|class| label(class).chars().count());
        // A column has room for five digits and its heading.
        let width = widest.max().unwrap_or(0).max(5) + 1;
        let head = width.max(12);
        let heads = (0..self.0.len()).map(|given| format!("{:>width$}", label(given)));
        let heads: String = heads.collect();
        let mut lines = vec![format!("{:>head$}{heads}   recall\n", "true \\ given")];
        for (truth, row) in self.0.iter().enumerate() {
            let cell = |&count: &u64| match count {
                0 => format!("{:>width$}", "."),
                _ => format!("{count:>width$}"),
            };
            let cells: String = row.iter().map(cell).collect();
            let recall = match row.iter().sum::<u64>() {
                0 => "        -".to_owned(),
                all => format!("  {:>5.2} %", 100.0 * row[truth] as f64 / all as f64),
            };
            lines.push(format!("{:>head$}{cells}{recall}\n", label(truth)));
        }
        lines.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: usize = 10;

    fn row(label: usize, probability: f32) -> [f32; CLASSES] {
        let mut row = [(1.0 - probability) / 9.0; CLASSES];
        row[label] = probability;
        row
    }

    #[test]
    fn hand_worked_figures() {
        // Right, right, wrong: the third image is a 7 that was called a 1.
        let rows = [row(3, 0.5), row(0, 0.25), row(1, 0.91)].concat();
        let evaluation = Evaluation::new(&rows, &[3, 0, 7]);
        assert!((evaluation.accuracy() - 2.0 / 3.0).abs() < 1e-12);
        let expected = (2.0_f64.ln() + 4.0_f64.ln() + 100.0_f64.ln()) / 3.0;
        assert!(
            (evaluation.loss - expected).abs() < 1e-6,
            "{}",
            evaluation.loss
        );
        assert_eq!(evaluation.confusion.0[7][1], 1);
        assert_eq!(evaluation.confusion.total(), 3);
    }

    #[test]
    fn calibration_is_how_far_confidence_is_from_accuracy() {
        // Of four that are 0.75 sure three are right; two that are 0.95 sure are wrong.
        let sure = [row(3, 0.75), row(3, 0.75), row(3, 0.75), row(3, 0.75)];
        let rows = [sure.concat(), row(1, 0.95).into(), row(1, 0.95).into()].concat();
        let evaluation = Evaluation::new(&rows, &[3, 3, 3, 4, 2, 2]);
        let expected = (0.0 + 2.0 * 0.95) / 6.0;
        let error = evaluation.calibration_error;
        assert!((error - expected).abs() < 1e-6, "{error}");
    }

    #[test]
    fn a_certain_mistake_stays_finite() {
        assert!(Evaluation::new(&row(1, 1.0), &[2]).loss.is_finite());
    }

    #[test]
    fn the_table_shows_counts_and_recall() {
        let rows = [row(3, 0.5), row(5, 0.5)].concat();
        let digits: Vec<String> = (0..CLASSES).map(|digit| digit.to_string()).collect();
        let text = Evaluation::new(&rows, &[3, 3]).report(&digits);
        assert!(text.contains("accuracy  50.00 %  (1 of 2)"), "{text}");
        assert!(text.contains("50.00 %\n           4"), "{text}");
    }

    #[test]
    fn the_table_names_the_classes() {
        let evaluation = Evaluation::new(&[0.1, 0.9, 0.8, 0.7], &[0, 0, 1, 1]);
        let expected = "\
true \\ given NEGATIVE POSITIVE   recall
    NEGATIVE        1        1  50.00 %
    POSITIVE        .        2  100.00 %
";
        let text = evaluation.report(&["NEGATIVE", "POSITIVE"]);
        assert!(text.ends_with(expected), "{text}");
    }
}
