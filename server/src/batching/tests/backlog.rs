//! How far an engine is behind, as it tells those who bring it rows.

use super::*;

#[test]
fn it_is_deep_while_every_core_computes_for_engines_that_are_behind() {
    let backlog = Backlog::of(2);
    backlog.update(0, 1);
    assert!(!backlog.is_deep());
    // Another engine.
    backlog.update(0, 1);
    assert!(backlog.is_deep());
    backlog.update(1, 0);
    assert!(!backlog.is_deep());
    backlog.update(1, 2);
    assert!(backlog.is_deep());
}

/// An engine that runs one row, expects 3 ms of each, and holds two that wait.
fn running() -> (Bench, Vec<Ticket<Gated>>) {
    let bench = bench(settings());
    let first = bench.submit(&[1]);
    bench.batch();
    bench.clock.advance(Duration::from_millis(3));
    bench.say(Word::Answer);
    wait(first).unwrap();
    let second = bench.submit(&[2]);
    assert_eq!(bench.batch(), [2]);
    let tickets = vec![second, bench.submit(&[3, 4])];
    (bench, tickets)
}

#[test]
fn an_engine_is_behind_while_its_rows_will_wait_for_long() {
    let (bench, mut tickets) = running();
    assert!(!bench.backlog.is_deep() && !bench.engine.is_behind());
    tickets.push(bench.submit(&[5]));
    assert!(
        bench.backlog.is_deep() && bench.engine.is_behind(),
        "9 ms wait"
    );
    tickets.push(bench.submit(&[6, 7, 8]));
    bench.say(Word::Answer);
    assert_eq!(bench.batch(), [3, 4, 5, 6]);
    assert!(!bench.backlog.is_deep(), "less than 8 ms wait");
    bench.say(Word::Answer);
    bench.say(Word::Answer);
    for ticket in tickets {
        wait(ticket).unwrap();
    }
}

#[test]
fn an_engine_that_stops_is_behind_no_longer() {
    let (bench, _tickets) = running();
    let _third = bench.submit(&[5]);
    assert!(bench.backlog.is_deep());
    bench.engine.stop();
    assert!(!bench.backlog.is_deep());
}

#[test]
fn there_is_room_for_as_many_rows_as_submit_takes() {
    let (bench, _tickets) = running();
    assert_eq!(bench.engine.check_room(6), Ok(()));
    let refusal = bench.engine.check_room(7).unwrap_err();
    assert_eq!(
        refusal,
        bench.engine.submit((0..7).collect(), None).unwrap_err()
    );
    assert_eq!(bench.dropped(), [(DropReason::QueueFull, 7); 2]);
    let _more = bench.submit(&[5, 6, 7, 8, 9, 10]);
    let Err(Failure::QueueFull { retry_after, .. }) = bench.engine.check_room(1) else {
        panic!("it holds as many rows as it may");
    };
    // Eight rows of 3 ms, told by one digit.
    assert_eq!(retry_after, Duration::from_millis(30));
}
