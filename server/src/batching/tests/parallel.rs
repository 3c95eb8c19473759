//! The instance that runs a lone row on several cores.

use super::*;

const ONE: &str = "one core";
const SEVERAL: &str = "several cores";

/// Takes 100 us a step, by a clock that it moves itself, and tells its name and its rows. Panics if
/// a row is 13 steps wide.
struct Named {
    name: &'static str,
    clock: Clock,
    ran: Sender<(&'static str, usize)>,
}

impl Backend for Named {
    type Row = u32;
    type Output = u32;

    fn run(&mut self, rows: &[u32], outputs: &mut Vec<u32>) -> Result<(), BackendError> {
        self.ran.send((self.name, rows.len())).unwrap();
        let width = rows.iter().map(BatchRow::width).max().unwrap_or(0);
        assert_ne!(width, 13, "told to panic");
        self.clock
            .advance(Duration::from_micros(100) * width as u32);
        outputs.extend(rows);
        Ok(())
    }
}

/// An engine of two instances and a parallel one, whose speed is known, and what it runs.
struct Lone {
    engine: Engine<Named>,
    backlog: Arc<Backlog>,
    ran: Receiver<(&'static str, usize)>,
}

impl Lone {
    fn new() -> Self {
        let (sender, ran) = channel();
        let clock = Clock::manual();
        let named = {
            let clock = clock.clone();
            move |name| Named {
                name,
                clock: clock.clone(),
                ran: sender.clone(),
            }
        };
        let parallel = Some(named(SEVERAL));
        let settings = Settings {
            instances: Some(2),
            ..settings()
        };
        let parts = Parts {
            parallel,
            clock,
            ..parts(settings, Arc::new(move || Ok(named(ONE))))
        };
        let backlog = Arc::clone(&parts.backlog);
        let engine = Engine::start("test", parts).unwrap();
        let lone = Self {
            engine,
            backlog,
            ran,
        };
        assert_eq!(lone.run(&[20_000]), [(ONE, 1)], "its speed is not known");
        lone
    }

    /// The runs that one request makes while no other waits.
    fn run(&self, rows: &[u32]) -> Vec<(&'static str, usize)> {
        while self.engine.sleepers() < 2 || !self.backlog.is_idle() {
            std::thread::yield_now();
        }
        let ticket = self.engine.submit(rows.into(), None).unwrap();
        self.engine.dispatch();
        let _ = wait(ticket);
        self.ran.try_iter().collect()
    }
}

#[test]
fn a_long_run_of_one_row_uses_several_cores_while_nothing_else_runs() {
    let lone = Lone::new();
    for _ in 0..2 {
        assert_eq!(lone.run(&[20_000]), [(SEVERAL, 1)]);
    }
    assert_eq!(lone.run(&[2_000]), [(ONE, 1)], "too short");
    let two = lone.run(&[20_000, 20_000]);
    assert_eq!(two[0], (ONE, 1), "another row waits");
    lone.backlog.begin();
    let busy = {
        let ticket = lone.engine.submit(smallvec![20_000], None).unwrap();
        lone.engine.dispatch();
        wait(ticket).unwrap();
        lone.ran.try_iter().collect::<Vec<_>>()
    };
    assert_eq!(busy, [(ONE, 1)], "another engine runs a batch");
    lone.backlog.end();
    assert_eq!(lone.run(&[20_000]), [(SEVERAL, 1)]);
}

#[test]
fn the_instances_go_on_if_it_panics() {
    let lone = Lone::new();
    assert_eq!(lone.run(&[13_000]), [(SEVERAL, 1)]);
    assert_eq!(lone.run(&[20_000]), [(ONE, 1)]);
}

#[test]
fn it_is_freed_with_the_others_when_the_engine_ends() {
    let Lone { engine, ran, .. } = Lone::new();
    engine.retire();
    engine.join();
    let ended = ran.recv().unwrap_err();
    assert_eq!(
        ended,
        std::sync::mpsc::RecvError,
        "no backend holds its sender"
    );
}
