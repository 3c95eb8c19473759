//! Batches that a caller's own thread runs.

use super::*;

/// Answers at once; tells which thread ran each batch.
struct Telling(Arc<Mutex<Vec<(std::thread::ThreadId, usize)>>>);

impl Backend for Telling {
    type Row = u32;
    type Output = u32;

    fn run(&mut self, rows: &[u32], outputs: &mut Vec<u32>) -> Result<(), BackendError> {
        self.0
            .lock()
            .unwrap()
            .push((std::thread::current().id(), rows.len()));
        outputs.extend(rows);
        Ok(())
    }
}

#[test]
fn short_batches_run_on_the_callers_thread_and_requests_that_came_together_ride_together() {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let backends = Arc::clone(&ran);
    let settings = Settings {
        max_inline_compute: DAY,
        ..settings()
    };
    let factory: BackendFactory<Telling> = Arc::new(move || Ok(Telling(Arc::clone(&backends))));
    let engine = Engine::start("test", parts(settings, factory)).unwrap();
    let here = std::thread::current().id();
    // The first batch tells what a row costs; until then it may be long, and runs on a thread of
    // its own.
    let first = engine.submit(smallvec![9], None).unwrap();
    engine.dispatch();
    wait(first).unwrap();
    let (thread, rows) = ran.lock().unwrap().remove(0);
    assert!(thread != here && rows == 1);
    // The answer comes before the instance is idle again.
    while engine.sleepers() < 1 {
        std::thread::yield_now();
    }
    let tickets: Vec<_> = (0..6)
        .map(|row| engine.submit(smallvec![row], None).unwrap())
        .collect();
    assert!(
        ran.lock().unwrap().is_empty(),
        "nothing runs before the dispatch"
    );
    engine.dispatch();
    for (row, ticket) in (0..6).zip(tickets) {
        assert_eq!(wait(ticket).unwrap().outputs[..], [row]);
    }
    assert_eq!(*ran.lock().unwrap(), [(here, 4), (here, 2)]);
}
