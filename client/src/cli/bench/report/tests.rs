//! Percentiles and both forms of the report, against values worked out by hand.

use super::{
    super::{
        connection::Refusal,
        payload::{Pixels, Rpc},
    },
    *,
};

#[test]
fn percentiles_are_those_of_the_values() {
    let mut histogram = histogram();
    assert!(Latency::of(&histogram).is_none());
    // 1 to 10,000 microseconds, once each.
    for microseconds in 1..=10_000 {
        histogram.saturating_record(microseconds * 1000);
    }
    let latency = Latency::of(&histogram).unwrap();
    for (value, exact) in [
        (latency.p50, 5000.0),
        (latency.p90, 9000.0),
        (latency.p99, 9900.0),
        (latency.p99_9, 9990.0),
        (latency.max, 10_000.0),
    ] {
        assert!((value / exact - 1.0).abs() < 1e-3, "{value} for {exact}");
    }
    histogram.saturating_record(u64::MAX);
    assert!(Latency::of(&histogram).unwrap().max >= 6e8);
}

#[tokio::test(start_paused = true)]
async fn throughput_counts_ends_and_latency_counts_starts() {
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    let window = at(100)..at(200);
    let payload = Pixels::random().classify(Rpc::Classify, "", 1);
    let mut recorder = Recorder::new(window);
    recorder.ended = 1; // not a sampled one
    for (intended, end) in [(0, 99), (50, 100), (100, 150), (199, 260), (200, 210)] {
        recorder
            .record(at(intended), at(end), Ok(Bytes::new()), &payload)
            .unwrap();
    }
    // Those that ended at 100 and 150, and those that were due at 100 and 199.
    assert_eq!(recorder.answered, 2);
    assert_eq!(recorder.latency.len(), 2);
    let refusal = || {
        Err(CallError::Refused(Refusal::new(
            Code::ResourceExhausted,
            "full".into(),
        )))
    };
    for intended in [50, 150] {
        recorder
            .record(at(intended), at(160), refusal(), &payload)
            .unwrap();
    }
    assert_eq!(recorder.answered, 2);
    assert_eq!(recorder.refused_latency.len(), 1);
    assert_eq!(recorder.errors["RESOURCE_EXHAUSTED"].count, 1);
    let lost = Err(CallError::Unreachable("gone".into()));
    let lost = recorder.record(at(150), at(160), lost, &payload);
    assert_eq!(lost, Err("gone".to_owned()));
}
