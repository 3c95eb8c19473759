//! The open connections, and the bounds on them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::Id;

use super::exchanges::Exchanges;

/// Connections that may be leaving to make room, beyond the bound.
const MAX_LEAVING: usize = 16;

/// Bounds on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Connections in all.
    pub(crate) max: usize,
    /// Connections from one address.
    pub(crate) max_per_address: usize,
    /// When a connection is to end; `None`: when its peer wants it.
    pub(crate) max_age: Option<Duration>,
    /// How long its requests may then take.
    pub(crate) age_grace: Duration,
}

/// What the accept loop and a connection share.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) exchanges: Arc<Exchanges>,
    /// Asks the connection to end, as it is idle and another needs its place.
    pub(super) make_room: Notify,
}

/// Whether there is a place for a new connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    /// An idle connection was asked to end.
    MadeFree,
    None,
}

/// The open connections.
#[derive(Debug)]
pub(super) struct Register {
    bounds: Bounds,
    entries: HashMap<Id, Entry>,
    addresses: HashMap<IpAddr, usize>,
    leaving: usize,
    count: u64,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    /// In the order of their arrival.
    order: u64,
    control: Arc<Control>,
    is_leaving: bool,
}

impl Register {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: HashMap::new(),
            addresses: HashMap::new(),
            leaving: 0,
            count: 0,
        }
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn add(&mut self, id: Id, address: IpAddr, control: Arc<Control>) {
        self.count += 1;
        *self.addresses.entry(address).or_default() += 1;
        let entry = Entry {
            address,
            order: self.count,
            control,
            is_leaving: false,
        };
        self.entries.insert(id, entry);
    }

    pub(super) fn remove(&mut self, id: Id) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.leaving -= usize::from(entry.is_leaving);
        if let Some(count) = self.addresses.get_mut(&entry.address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&entry.address);
            }
        }
    }

    /// Looks for a place for a connection from `address`. Where there is none, the oldest idle
    /// connection of the address with the most is asked to end.
    pub(super) fn find_place(&mut self, address: IpAddr) -> Place {
        let held = |address| self.addresses.get(&address).copied().unwrap_or(0);
        let is_crowded = held(address) >= self.bounds.max_per_address;
        if !is_crowded && self.entries.len() - self.leaving < self.bounds.max {
            return Place::Free;
        }
        if self.leaving >= MAX_LEAVING {
            return Place::None;
        }
        let idle = self.entries.iter().filter(|(_, entry)| {
            let is_idle = !entry.is_leaving && entry.control.exchanges.are_none();
            is_idle && (!is_crowded || entry.address == address)
        });
        let first = idle.max_by_key(|(_, entry)| (held(entry.address), Reverse(entry.order)));
        let Some(id) = first.map(|(id, _)| *id) else {
            return Place::None;
        };
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.is_leaving = true;
            entry.control.make_room.notify_one();
            self.leaving += 1;
        }
        Place::MadeFree
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    /// Ids of tasks.
    fn ids(count: usize) -> Vec<Id> {
        let mut tasks = JoinSet::new();
        (0..count)
            .map(|_| tasks.spawn(std::future::pending::<()>()).id())
            .collect()
    }

    fn register(max: usize, max_per_address: usize) -> Register {
        Register::new(Bounds {
            max,
            max_per_address,
            max_age: None,
            age_grace: Duration::ZERO,
        })
    }

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[tokio::test]
    async fn an_idle_connection_of_the_largest_holder_makes_room() {
        let (mut register, ids) = (register(4, 3), ids(5));
        let controls: Vec<Arc<Control>> = (0..5).map(|_| Arc::default()).collect();
        let holders = [1, 2, 2, 2].map(address);
        for (index, holder) in holders.into_iter().enumerate() {
            assert_eq!(register.find_place(holder), Place::Free);
            register.add(ids[index], holder, Arc::clone(&controls[index]));
        }
        // The oldest of the second address works on a request.
        let busy = controls[1].exchanges.begin();
        assert_eq!(register.find_place(address(3)), Place::MadeFree);
        controls[2].make_room.notified().await;
        register.add(ids[4], address(3), Arc::clone(&controls[4]));
        assert_eq!(register.len(), 5);
        // The one that was asked has not gone yet, and is not asked again.
        assert_eq!(register.find_place(address(3)), Place::MadeFree);
        controls[3].make_room.notified().await;
        register.remove(ids[2]);
        register.remove(ids[3]);
        assert_eq!(register.find_place(address(3)), Place::Free);
        drop(busy);
    }

    #[tokio::test]
    async fn busy_connections_and_an_address_that_has_its_share_leave_no_place() {
        let (mut register, ids) = (register(3, 2), ids(3));
        let mut busy = Vec::new();
        for (index, holder) in [1, 1, 2].map(address).into_iter().enumerate() {
            let control = Arc::<Control>::default();
            // Only the connection of the second address is idle.
            if index < 2 {
                busy.push(control.exchanges.begin());
            }
            register.add(ids[index], holder, control);
        }
        assert_eq!(register.find_place(address(1)), Place::None);
        assert_eq!(register.find_place(address(3)), Place::MadeFree);
        assert_eq!(register.find_place(address(1)), Place::None);
    }
}
