//! What a run costs: by hand, and measured from runs of a known cost.

use super::*;
use crate::batching::cost::CostAt;
use crate::batching::lanes::Extent;

impl Cost {
    /// The cost that is known at these widths, narrow to wide.
    pub(super) fn of(points: impl Into<Vec<CostAt>>) -> Self {
        let points = points.into();
        assert!(points.is_sorted_by(|a, b| a.width < b.width));
        Self {
            points,
            ..Self::default()
        }
    }
}

fn of_run(cost: &Cost, rows: usize, width: usize) -> f64 {
    cost.of_run(Extent { rows, width })
}

fn assert_close(found: f64, expected: f64) {
    let is_close = (found / expected - 1.0).abs() < 0.001;
    assert!(is_close, "{found}, not {expected}");
}

/// A recurrent network: 20 us a run, 15 us a step and 13 us a step for each row.
fn recurrent(rows: usize, width: usize) -> f64 {
    20.0 + (15.0 + 13.0 * rows as f64) * width as f64
}

/// Attention: 100 us a run, and for each row 10 us a step and 0.5 us for each pair of steps.
fn attention(rows: usize, width: usize) -> f64 {
    let (rows, width) = (rows as f64, width as f64);
    100.0 + rows * (10.0 * width + 0.5 * width * width)
}

/// Measures runs of a known cost. Every other repetition is interrupted.
fn measured(cost: fn(usize, usize) -> f64, max_batch_size: usize) -> Cost {
    let mut interruption = Duration::from_millis(1);
    Cost::measure(max_batch_size, 200, |rows, width| {
        assert!(rows <= max_batch_size && (1..=200).contains(&width));
        interruption = Duration::from_millis(1).saturating_sub(interruption);
        Ok::<_, ()>(Duration::from_secs_f64(cost(rows, width) * 1e-6) + interruption)
    })
    .unwrap()
}

#[test]
fn without_widths_a_run_costs_its_rows() {
    assert_close(of_run(&Cost::default(), 7, 1), 7.0);
    assert_eq!(Cost::default().efficient_rows(), 0);
}

#[test]
fn between_two_widths_the_cost_is_a_line() {
    let at = |width, row, run| CostAt { width, row, run };
    let cost = Cost::of([at(1, 1.0, 4.0), at(11, 21.0, 4.0), at(21, 81.0, 14.0)]);
    for (rows, width, expected) in [
        (2, 1, 6.0),
        (2, 6, 26.0),
        (2, 11, 46.0),
        (1, 16, 60.0),
        // Wider than any that was measured.
        (1, 31, 165.0),
    ] {
        assert_close(of_run(&cost, rows, width), expected);
    }
    assert_close(of_run(&Cost::of([at(1, 2.0, 3.0)]), 5, 9), 13.0);
}

#[test]
fn a_run_takes_as_many_tokens_as_make_it_efficient() {
    let of_widest = |runs: &[f64]| Cost {
        widest: runs.into(),
        ..Cost::of([CostAt {
            width: 100,
            row: 1.0,
            run: 0.0,
        }])
    };
    for (runs, tokens) in [
        // The caches are full from four rows on.
        (&[10.0, 16.0, 30.0, 64.0][..], Some(400)),
        (&[10.0, 22.0], Some(100)),
        // Eight save 1 % of a row beside four, which is not worth the wait.
        (&[10.0, 18.0, 32.0, 63.5], Some(400)),
        (&[10.0, 18.0, 32.0, 60.0], Some(800)),
        // Sixteen may save much more.
        (&[10.0, 11.0, 12.0, 13.0], None),
        (&[10.0], None),
    ] {
        let cost = of_widest(runs);
        assert_eq!(cost.efficient_tokens(), tokens, "{runs:?}");
    }
    assert_eq!(Cost::default().efficient_tokens(), None);
    // What is stated counts.
    let cost = of_widest(&[10.0, 22.0]);
    for (stated, most) in [(None, Some(100)), (Some(900), Some(900))] {
        let settings = Settings {
            max_batch_tokens: stated,
            ..settings()
        };
        assert_eq!(settings.with_cost(&cost).max_batch_tokens, most);
        assert_eq!(
            settings.with_cost(&Cost::default()).max_batch_tokens,
            stated
        );
    }
}

#[test]
fn tokens_that_fill_the_caches_are_found() {
    // From 300 tokens on, a row costs a sixth more.
    let full = |rows: usize, width| {
        let part = if rows * width > 300 { 1.17 } else { 1.0 };
        Ok::<_, ()>(Duration::from_secs_f64(
            attention(rows, width) * part * 1e-6,
        ))
    };
    for (longest, most_rows, tokens) in [
        (256, 32, Some(256)),
        // One row of 128 is nearly as cheap as one of two.
        (128, 32, Some(128)),
        // So short rows that the answers of a run count.
        (64, 32, Some(256)),
        // Never full with so few rows.
        (16, 8, Some(128)),
        (256, 1, None),
    ] {
        let cost = Cost::measure(most_rows, longest, full).unwrap();
        assert_eq!(cost.efficient_tokens(), tokens, "{longest}, {most_rows}");
    }
}

#[test]
fn a_measured_cost_is_that_of_the_runs() {
    for (cost, tolerance) in [(recurrent as fn(_, _) -> _, 0.001), (attention, 0.13)] {
        let measured = measured(cost, 32);
        for (rows, width) in [(1, 1), (1, 12), (8, 12), (32, 100), (5, 150), (8, 200)] {
            let (found, expected) = (of_run(&measured, rows, width), cost(rows, width));
            let is_close = (found / expected - 1.0).abs() < tolerance;
            assert!(is_close, "{rows} of {width}: {found}, not {expected}");
        }
    }
    // Four times 15 / 13 rows.
    assert_eq!(measured(recurrent, 32).efficient_rows(), 5);
}

/// all-MiniLM-L6-v2 on one core of an EPYC with VNNI: 1 ms a run, and for each row 215 us a token
/// and 0.107 us for each pair of tokens.
fn minilm(rows: usize, width: usize) -> f64 {
    let (rows, width) = (rows as f64, width as f64);
    1_000.0 + rows * (215.0 * width + 0.107 * width * width)
}

#[test]
fn an_encoder_is_measured_in_a_moment_and_known_up_to_its_longest_text() {
    let mut total = 0.0;
    let cost = Cost::measure(32, 512, |rows, width| {
        total += minilm(rows, width);
        Ok::<_, ()>(Duration::from_secs_f64(minilm(rows, width) * 1e-6))
    });
    let cost = cost.unwrap();
    for width in [16, 32, 100, 128, 256, 384, 512] {
        for rows in [1, 8, 32] {
            let part = of_run(&cost, rows, width) / minilm(rows, width);
            // Four rows of 128 tokens take long enough; from there on a line goes on.
            let least = if width <= 128 { 0.98 } else { 0.85 };
            assert!((least..1.02).contains(&part), "{rows} of {width}: {part}");
        }
    }
    assert!(total < 1.5e6, "{total} us delay the start");
    // One ten times as slow.
    let mut total = 0.0;
    let cost = Cost::measure(32, 512, |rows, width| {
        let took = minilm(rows, width) * 10.0;
        total += took;
        Ok::<_, ()>(Duration::from_secs_f64(took * 1e-6))
    });
    assert_eq!(cost.unwrap().efficient_tokens(), Some(128));
    assert!(total < 2.5e6, "{total} us delay the start");
}

#[test]
fn a_narrow_run_never_counts_more_than_a_wider_one() {
    let mut runs = 0;
    // All repetitions at the narrowest widths are interrupted.
    let cost = Cost::measure(32, 200, |rows, width| {
        runs += 1;
        let interruption = if width < 5 { 50_000.0 } else { 0.0 };
        Ok::<_, ()>(Duration::from_secs_f64(
            (recurrent(rows, width) + interruption) * 1e-6,
        ))
    });
    let cost = cost.unwrap();
    assert!(of_run(&cost, 1, 1) <= of_run(&cost, 1, 6) * 1.001);
    assert!(runs < 8 * 2 * 8, "{runs} runs delay the start");
}

#[test]
fn one_interrupted_width_spoils_no_other() {
    // All runs of one row of 25 steps are interrupted, so that four rows take less than one.
    let cost = Cost::measure(32, 200, |rows, width| {
        let interrupted = (rows, width) == (1, 25);
        let took = recurrent(rows, width) + if interrupted { 50_000.0 } else { 0.0 };
        Ok::<_, ()>(Duration::from_secs_f64(took * 1e-6))
    });
    let cost = cost.unwrap();
    for (rows, width) in [(1, 6), (8, 12), (8, 25), (8, 50)] {
        let part = of_run(&cost, rows, width) / recurrent(rows, width);
        assert!((0.7..1.4).contains(&part), "{rows} of {width}: {part}");
    }
}

proptest::proptest! {
    #[test]
    fn on_a_busy_machine_a_run_still_costs_more_than_its_rows(
        late in proptest::collection::vec(0.0..0.05, 16),
    ) {
        let mut late = late.into_iter().cycle();
        let mut last = ((0, 0), 0.0);
        let cost = Cost::measure(32, 200, |rows, width| {
            // All repetitions of a run take up to 5 % longer: 1,000 us of the longest.
            if last.0 != (rows, width) {
                last = ((rows, width), late.next().unwrap());
            }
            let took = attention(rows, width) * (1.0 + last.1);
            Ok::<_, ()>(Duration::from_secs_f64(took * 1e-6))
        });
        let cost = cost.unwrap();
        for width in [1, 6, 25] {
            let beside = 2.0 * of_run(&cost, 1, width) - of_run(&cost, 2, width);
            proptest::prop_assert!((50.0..200.0).contains(&beside), "{width}: {beside} us");
        }
    }
}

#[test]
fn widths_whose_runs_take_long_are_not_measured() {
    let (mut widest, mut total) = (0, 0.0);
    let cost = Cost::measure(32, 65_536, |rows, width| {
        widest = widest.max(width);
        total += attention(rows, width);
        Ok::<_, ()>(Duration::from_secs_f64(attention(rows, width) * 1e-6))
    });
    let cost = cost.unwrap();
    // The first width at which four rows take more than a tenth of a second.
    assert_eq!(widest, 256);
    assert!(total < 2e6, "{total}");
    // Beyond it, each step adds as much as the last that were measured.
    let step = of_run(&cost, 1, 256) - of_run(&cost, 1, 255);
    let far = of_run(&cost, 1, 256) + step * f64::from(65_536 - 256);
    assert_close(of_run(&cost, 1, 65_536), far);
}

#[test]
fn a_model_whose_runs_take_one_row_is_measured_with_one() {
    let cost = measured(recurrent, 1);
    assert_eq!(cost.efficient_rows(), 0);
    assert_close(of_run(&cost, 1, 100), recurrent(1, 100));
}

#[test]
fn a_failing_run_ends_the_measurement() {
    assert_eq!(Cost::measure(8, 200, |_, _| Err("no")), Err("no"));
}
