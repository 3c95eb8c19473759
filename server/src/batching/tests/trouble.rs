//! What happens when things go wrong: full queues, callers that leave, deadlines, batches that
//! fail, the end.

use super::*;
use crate::batching::amount::Amount;
use crate::batching::queue::{Next, Queue};
use crate::batching::request::Gather;

#[test]
fn a_full_queue_refuses_at_once_and_says_how_full_it_is() {
    let bench = bench(settings());
    let running = bench.submit(&[0]);
    bench.batch();
    let waiting = bench.submit(&[1, 2, 3, 4, 5, 6]);
    let refusal = bench.engine.submit(smallvec![7, 8, 9], None).unwrap_err();
    assert!(
        matches!(
            refusal,
            Failure::QueueFull {
                full: QueueFull {
                    unit: "rows",
                    depth: 6,
                    limit: 8,
                    more: 3,
                },
                ..
            }
        ),
        "{refusal:?}"
    );
    assert_eq!(bench.dropped(), [(DropReason::QueueFull, 3)]);
    for _ in 0..3 {
        bench.say(Word::Answer);
    }
    assert_eq!(wait(running).unwrap().outputs[..], [0]);
    assert_eq!(wait(waiting).unwrap().outputs.len(), 6);
}

/// A row of so many bytes.
struct Heavy(usize);

impl BatchRow for Heavy {
    fn bytes(&self) -> usize {
        self.0
    }
}

#[test]
fn a_queue_is_bounded_in_bytes_too() {
    let settings = Settings {
        max_queue_bytes: 100,
        ..settings()
    };
    let mut queue: Queue<Heavy, ()> = Queue::new(settings, Cost::default());
    let now = Clock::manual().now();
    let amount = |bytes: &[usize]| Amount {
        rows: bytes.len(),
        bytes: bytes.iter().sum(),
    };
    let push = |queue: &mut Queue<Heavy, ()>, bytes: &[usize]| {
        let gather = Arc::new(Gather::new(amount(bytes), None));
        queue.push(
            &gather,
            bytes.iter().map(|bytes| Heavy(*bytes)).collect(),
            now,
        );
        gather
    };
    // An empty queue takes any request.
    assert_eq!(queue.check_room(amount(&[300, 300])), Ok(()));
    let _first = push(&mut queue, &[10, 20, 30]);
    let leaver = push(&mut queue, &[40]);
    let full = queue.check_room(amount(&[1])).unwrap_err();
    assert_eq!(
        full.to_string(),
        "the queue holds 100 of at most 100 bytes, 1 more do not fit"
    );
    assert_eq!(queue.check_room(amount(&[0])), Ok(()));
    // What leaves gives its bytes back, and so does what runs, row by row.
    leaver.end();
    queue.leave(&leaver, now);
    assert_eq!(queue.entries(), 1, "so many bytes are freed at once");
    assert_eq!(queue.check_room(amount(&[40])), Ok(()));
    assert!(queue.check_room(amount(&[41])).is_err());
    let Next::Run(batch) = queue.next(now, false, 2) else {
        panic!("rows wait");
    };
    assert_eq!(batch.rows.len(), 2);
    assert_eq!(queue.check_room(amount(&[70])), Ok(()));
    assert!(queue.check_room(amount(&[71])).is_err());
    // The bound on rows is met first.
    let full = queue.check_room(amount(&[1; 8])).unwrap_err();
    assert_eq!(full.unit, "rows");
    queue.fail(&Failure::Stopped);
    assert_eq!(queue.check_room(amount(&[101])), Ok(()));
}

#[test]
fn a_caller_that_leaves_frees_its_places_and_is_never_run() {
    let bench = bench(settings());
    let running = bench.submit(&[0]);
    bench.batch();
    let leaver = bench.submit(&[1, 2, 3, 4, 5, 6, 7, 8]);
    drop(leaver);
    assert_eq!(bench.engine.queue_depth(), 0);
    let next = bench.submit(&[9]);
    bench.say(Word::Answer);
    assert_eq!(bench.batch(), [9]);
    bench.say(Word::Answer);
    wait(running).unwrap();
    wait(next).unwrap();
    assert_eq!(bench.dropped(), [(DropReason::Cancelled, 8)]);
}

#[test]
fn rows_whose_deadline_has_passed_are_answered_so_and_never_run() {
    let bench = bench(settings());
    let running = bench.submit(&[0]);
    bench.batch();
    let deadline = bench.clock.now() + Duration::from_millis(10);
    let late = bench
        .engine
        .submit(smallvec![1, 2], Some(deadline))
        .unwrap();
    let patient = bench.submit(&[3]);
    bench.clock.advance(Duration::from_millis(10));
    bench.say(Word::Answer);
    assert_eq!(bench.batch(), [3]);
    bench.say(Word::Answer);
    wait(running).unwrap();
    assert_eq!(wait(late).unwrap_err(), Failure::Deadline);
    assert_eq!(wait(patient).unwrap().outputs[..], [6]);
    assert_eq!(bench.dropped(), [(DropReason::Deadline, 2)]);
}

#[test]
fn a_failing_batch_fails_only_its_own_callers() {
    for (word, text) in [
        (Word::Fail, "told to fail"),
        (Word::OneShort, "0 outputs for 1 rows"),
    ] {
        let bench = bench(settings());
        let unlucky = bench.submit(&[1]);
        bench.batch();
        let lucky = bench.submit(&[2]);
        bench.say(word);
        bench.say(Word::Answer);
        assert!(matches!(wait(unlucky), Err(Failure::Backend(message)) if message.contains(text)));
        assert_eq!(wait(lucky).unwrap().outputs[..], [4]);
        assert_eq!(*bench.seen.replaced.lock().unwrap(), 0);
    }
}

#[test]
fn the_requests_of_a_failing_batch_run_again_each_alone() {
    let bench = bench(settings());
    let running = bench.submit(&[0]);
    bench.batch();
    let innocent = bench.submit(&[1, 2]);
    let culprit = bench.submit(&[3]);
    let other = bench.submit(&[4]);
    bench.say(Word::Answer);
    assert_eq!(bench.batch(), [1, 2, 3, 4]);
    for (word, rows) in [
        (Word::Fail, &[1, 2][..]),
        (Word::Answer, &[3]),
        (Word::Fail, &[4]),
    ] {
        bench.say(word);
        assert_eq!(bench.batch(), rows);
    }
    bench.say(Word::Answer);
    wait(running).unwrap();
    let answer = wait(innocent).unwrap();
    assert_eq!(answer.outputs[..], [2, 4]);
    assert_eq!(answer.timing.batch_size, 2);
    assert!(matches!(wait(culprit), Err(Failure::Backend(message)) if message == "told to fail"));
    assert_eq!(wait(other).unwrap().outputs[..], [8]);
}

#[test]
fn a_panic_of_a_request_that_runs_again_fails_those_behind_it() {
    let bench = bench(settings());
    let running = bench.submit(&[0]);
    bench.batch();
    let tickets = [1, 2, 3].map(|row| bench.submit(&[row]));
    for word in [Word::Answer, Word::Fail, Word::Answer, Word::Panic] {
        bench.say(word);
    }
    wait(running).unwrap();
    let [first, second, third] = tickets.map(wait);
    assert_eq!(first.unwrap().outputs[..], [2]);
    assert!(matches!(second, Err(Failure::Backend(message)) if message.contains("told to panic")));
    assert!(matches!(third, Err(Failure::Backend(_))));
    let after = bench.submit(&[5]);
    bench.say(Word::Answer);
    assert_eq!(wait(after).unwrap().outputs[..], [10]);
}

#[test]
fn a_panicking_instance_is_replaced_and_its_callers_are_told() {
    let bench = bench(settings());
    let unlucky = bench.submit(&[1]);
    bench.batch();
    let lucky = bench.submit(&[2]);
    bench.say(Word::Panic);
    bench.say(Word::Answer);
    assert!(
        matches!(wait(unlucky), Err(Failure::Backend(message)) if message.contains("told to panic"))
    );
    assert_eq!(wait(lucky).unwrap().outputs[..], [4]);
    assert_eq!(*bench.seen.replaced.lock().unwrap(), 1);
}

#[test]
fn a_hurried_engine_waits_for_no_company() {
    let bench = bench(Settings {
        max_queue_delay: DAY,
        ..settings()
    });
    let accepted = bench.submit(&[1]);
    bench.engine.hurry();
    assert_eq!(bench.batch(), [1]);
    bench.say(Word::Answer);
    assert_eq!(wait(accepted).unwrap().outputs[..], [2]);
    let late = bench.submit(&[2]);
    assert_eq!(bench.batch(), [2]);
    bench.say(Word::Answer);
    assert_eq!(wait(late).unwrap().outputs[..], [4]);
}

#[test]
fn stopping_answers_what_waits_with_an_error() {
    let bench = bench(settings());
    let running = bench.submit(&[1]);
    bench.batch();
    let waiting = bench.submit(&[2]);
    bench.engine.stop();
    assert_eq!(wait(waiting).unwrap_err(), Failure::Stopped);
    let late = bench.engine.submit(smallvec![3], None).unwrap_err();
    assert_eq!(late, Failure::Stopped);
    bench.say(Word::Answer);
    assert_eq!(wait(running).unwrap().outputs[..], [2]);
    bench.engine.join();
    assert_eq!(bench.dropped(), [(DropReason::Stopped, 1)]);
}

#[test]
fn callers_that_come_and_go_leave_nothing_behind() {
    let bench = bench(settings());
    let running = bench.submit(&[0]);
    bench.batch();
    for _ in 0..10_000 {
        drop(bench.submit(&[1, 2, 3]));
    }
    assert!(
        bench.engine.entries() <= 4,
        "{} entries are kept",
        bench.engine.entries()
    );
    bench.say(Word::Answer);
    wait(running).unwrap();
}
