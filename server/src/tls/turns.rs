//! Turns at something that many want and few may do at once, shared fairly by address.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::lock::lock;

/// Turns of a few at once. An address whose peers wait gets one, then the next address does, so
/// that an address waits for the others' next turns and not for all that wait there.
#[derive(Debug)]
pub(super) struct Turns(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    waiting: HashMap<IpAddr, VecDeque<oneshot::Sender<Turn>>>,
    /// Each address that waits, in the order of their next turns.
    order: VecDeque<IpAddr>,
}

/// A turn, which ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Option<Arc<Turns>>);

impl Turns {
    /// So many at once.
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            free: count,
            waiting: HashMap::new(),
            order: VecDeque::new(),
        })))
    }

    /// Waits for a turn of this address. Whoever no longer waits gets none.
    pub(super) async fn take(self: &Arc<Self>, address: IpAddr) -> Turn {
        let turn = {
            let mut state = lock(&self.0);
            if state.free > 0 {
                state.free -= 1;
                return Turn(Some(Arc::clone(self)));
            }
            state.wait(address)
        };
        turn.await.expect("who waits is passed a turn or stays")
    }

    /// How many wait, those who have given up included.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        lock(&self.0).waiting.values().map(VecDeque::len).sum()
    }

    /// Passes a turn that has ended to the next who waits.
    fn pass(self: Arc<Self>) {
        let mut turn = Turn(Some(self));
        while let Some(turns) = &turn.0 {
            let next = {
                let mut state = lock(&turns.0);
                let next = state.next();
                state.free += usize::from(next.is_none());
                next
            };
            let Some(next) = next else {
                turn.0 = None;
                return;
            };
            match next.send(turn) {
                Ok(()) => return,
                Err(refused) => turn = refused,
            }
        }
    }
}

impl State {
    fn wait(&mut self, address: IpAddr) -> oneshot::Receiver<Turn> {
        let (sender, turn) = oneshot::channel();
        let waiting = self.waiting.entry(address).or_default();
        if waiting.is_empty() {
            self.order.push_back(address);
        }
        waiting.push_back(sender);
        turn
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let address = self.order.pop_front()?;
        let waiting = self.waiting.get_mut(&address)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&address);
        } else {
            self.order.push_back(address);
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    // Without a runtime, which would let a task poll only so often.
    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// A turn that is free.
    fn free(turns: &Arc<Turns>) -> Turn {
        match poll(&mut Box::pin(turns.take(ip(0)))) {
            Poll::Ready(turn) => turn,
            Poll::Pending => panic!("none is free"),
        }
    }

    /// Addresses whose turns are taken, one after the other, after all of them have waited.
    fn order_of(addresses: &[u8]) -> Vec<u8> {
        let turns = Turns::new(1);
        let first = free(&turns);
        let mut waiting = Vec::new();
        for &address in addresses {
            let mut turn = Box::pin(turns.take(ip(address)));
            assert!(poll(&mut turn).is_pending());
            waiting.push((address, turn));
        }
        drop(first);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let mut taken = Vec::new();
            for (place, (_, turn)) in waiting.iter_mut().enumerate() {
                if let Poll::Ready(turn) = poll(turn) {
                    taken.push((place, turn));
                }
            }
            // One at a time.
            assert_eq!(taken.len(), 1);
            let (place, turn) = taken.remove(0);
            order.push(waiting.remove(place).0);
            drop(turn);
        }
        assert_eq!(turns.waiting(), 0);
        assert_eq!(lock(&turns.0).free, 1);
        order
    }

    fn ip(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    #[test]
    fn an_address_does_not_wait_for_all_of_another() {
        let mut addresses = vec![1; 300];
        addresses.extend([2, 2, 3]);
        let order = order_of(&addresses);
        assert_eq!(order[..6], [1, 2, 3, 1, 2, 1]);
        assert_eq!(order.len(), 303);
    }

    #[test]
    fn who_gives_up_takes_no_turn_away() {
        let turns = Turns::new(2);
        let (one, two) = (free(&turns), free(&turns));
        let mut gone = Box::pin(turns.take(ip(1)));
        let mut told = Box::pin(turns.take(ip(1)));
        let mut last = Box::pin(turns.take(ip(1)));
        for turn in [&mut gone, &mut told, &mut last] {
            assert!(poll(turn).is_pending());
        }
        drop(gone);
        drop(one);
        // It has been passed the turn, and does not take it.
        drop(told);
        assert!(poll(&mut last).is_ready());
        drop((two, last));
        assert_eq!(lock(&turns.0).free, 2);
    }
}
