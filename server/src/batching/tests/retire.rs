//! How an engine ends.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn a_retired_engine_answers_what_waits_and_takes_nothing_new() {
    let bench = bench(settings());
    let running = bench.submit(&[1]);
    bench.batch();
    let waiting = bench.submit(&[2, 3, 4, 5, 6, 7]);
    bench.engine.retire();
    assert_eq!(bench.engine.check_room(9), Err(Failure::Retired));
    let refusal = bench.engine.submit(smallvec![8], None).unwrap_err();
    assert_eq!(refusal, Failure::Retired);
    for _ in 0..3 {
        bench.say(Word::Answer);
    }
    assert_eq!(wait(running).unwrap().outputs[..], [2]);
    assert_eq!(wait(waiting).unwrap().outputs[..], [4, 6, 8, 10, 12, 14]);
    bench.engine.join();
    assert_eq!(bench.dropped(), []);
}

#[test]
fn rows_that_wait_for_a_fuller_batch_wait_no_longer_once_it_retires() {
    let bench = bench(Settings {
        max_queue_delay: DAY,
        ..settings()
    });
    let waiting = bench.submit(&[1]);
    bench.engine.retire();
    bench.say(Word::Answer);
    assert_eq!(wait(waiting).unwrap().outputs[..], [2]);
}

#[test]
fn a_retired_engine_can_still_be_stopped() {
    let bench = bench(settings());
    let running = bench.submit(&[1]);
    bench.batch();
    let waiting = bench.submit(&[2]);
    bench.engine.retire();
    bench.engine.stop();
    bench.engine.retire();
    assert_eq!(wait(waiting).unwrap_err(), Failure::Stopped);
    assert_eq!(bench.engine.check_room(9), Err(Failure::Stopped));
    bench.say(Word::Answer);
    wait(running).unwrap();
}

#[test]
fn an_engine_without_instances_is_not_told_as_a_shutdown() {
    let first = Mutex::new(None);
    let (word, word_receiver) = channel();
    let (started, begun) = channel();
    let word_receiver = Arc::new(Mutex::new(word_receiver));
    *first.lock().unwrap() = Some(Gated {
        started,
        word: word_receiver,
    });
    let factory: BackendFactory<Gated> = Arc::new(move || {
        let mut first = first.lock().unwrap();
        first.take().ok_or(BackendError("none".into()))
    });
    let engine = Engine::start("test", parts(settings(), factory)).unwrap();
    let unlucky = engine.submit(smallvec![1], None).unwrap();
    engine.dispatch();
    begun.recv().unwrap();
    let waiting = engine.submit(smallvec![2], None).unwrap();
    word.send(Word::Panic).unwrap();
    assert!(matches!(wait(unlucky), Err(Failure::Backend(_))));
    assert_eq!(wait(waiting).unwrap_err(), Failure::Retired);
    assert_eq!(engine.check_room(1000), Err(Failure::Retired));
    engine.join();
}

/// Tells which thread frees it.
struct Freed<B>(B, Sender<std::thread::ThreadId>);

impl<B: Backend> Backend for Freed<B> {
    type Row = B::Row;
    type Output = B::Output;

    fn run(&mut self, rows: &[B::Row], outputs: &mut Vec<B::Output>) -> Result<(), BackendError> {
        self.0.run(rows, outputs)
    }
}

impl<B> Drop for Freed<B> {
    fn drop(&mut self) {
        let _ = self.1.send(std::thread::current().id());
    }
}

#[test]
fn whoever_drops_an_engine_waits_for_no_batch_and_frees_no_instance() {
    let (word, word_receiver) = channel();
    let (started, begun) = channel();
    let (freed, frees) = channel();
    let word_receiver = Arc::new(Mutex::new(word_receiver));
    let factory_is_freed = Arc::new(AtomicBool::new(false));
    let guard = SetOnDrop(Arc::clone(&factory_is_freed));
    let factory: BackendFactory<Freed<Gated>> = Arc::new(move || {
        let _ = &guard;
        let gated = Gated {
            started: started.clone(),
            word: Arc::clone(&word_receiver),
        };
        Ok(Freed(gated, freed.clone()))
    });
    let settings = Settings {
        instances: Some(2),
        ..settings()
    };
    let engine = Engine::start("test", parts(settings, factory)).unwrap();
    let running = engine.submit(smallvec![1], None).unwrap();
    engine.dispatch();
    begun.recv().unwrap();
    // Returns, though nothing lets the batch end before.
    drop(engine);
    let here = std::thread::current().id();
    assert_ne!(frees.recv().unwrap(), here, "the idle instance");
    assert!(!factory_is_freed.load(Ordering::Acquire));
    word.send(Word::Answer).unwrap();
    assert_eq!(wait(running).unwrap().outputs[..], [2]);
    assert_ne!(frees.recv().unwrap(), here, "the one that ran");
    // The factory, too, is freed there, and with it the last sender.
    assert!(frees.recv().is_err());
    assert!(factory_is_freed.load(Ordering::Acquire));
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
