//! Which of several addresses the next call goes to: a pure value, so that time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// How long an address is skipped after its first failure; each further failure doubles it.
const FIRST_REST: Duration = Duration::from_millis(250);
/// The longest that an address is skipped: a server that comes back gets calls again within this.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// So many calls in a row without an answer are a failure: an address that takes packets and says
/// nothing is noticed even where callers wait for less time than a connection may take.
const UNANSWERED: u32 = 3;

/// Round robin over addresses. One that failed is skipped for a while, unless all have failed.
#[derive(Debug)]
pub(crate) struct Rotation<C> {
    members: Vec<Member<C>>,
    next: usize,
}

#[derive(Debug)]
struct Member<C> {
    address: String,
    connection: C,
    failures: u32,
    /// Calls that were given up since the last answer.
    unanswered: u32,
    /// When it may be called again.
    rested: Option<Instant>,
}

impl<C: Clone> Rotation<C> {
    pub(crate) fn new() -> Self {
        Self {
            members: Vec::new(),
            next: 0,
        }
    }

    /// The address that is next, and its connection; `None`: there is none at all.
    pub(crate) fn pick(&mut self, now: Instant) -> Option<(String, C)> {
        let count = self.members.len();
        let in_turn = (0..count).map(|step| (self.next + step) % count);
        let rested = |place: &usize| self.members[*place].rested.is_none_or(|it| it <= now);
        let place = in_turn.clone().find(rested).or_else(|| {
            // All have failed: take the one whose pause ends first.
            in_turn.min_by_key(|place| self.members[*place].rested)
        })?;
        self.next = (place + 1) % count;
        let member = &self.members[place];
        Some((member.address.clone(), member.connection.clone()))
    }

    /// A call to this address ended; `failed`: the server cannot be reached, or takes no calls.
    pub(crate) fn ended(&mut self, address: &str, failed: bool, now: Instant) {
        let Some(member) = self.members.iter_mut().find(|it| it.address == address) else {
            return;
        };
        if !failed {
            (member.failures, member.unanswered, member.rested) = (0, 0, None);
            return;
        }
        // Calls in flight at the same time fail together, and count as one failure.
        if member.rested.is_some_and(|rested| rested > now) {
            return;
        }
        let rest = FIRST_REST.saturating_mul(1 << member.failures.min(10));
        member.failures += 1;
        member.rested = Some(now + rest.min(LONGEST_REST));
    }

    /// The caller of this address has given up before an answer came.
    pub(crate) fn given_up(&mut self, address: &str, now: Instant) {
        let Some(member) = self.members.iter_mut().find(|it| it.address == address) else {
            return;
        };
        member.unanswered += 1;
        if member.unanswered >= UNANSWERED {
            self.ended(address, true, now);
        }
    }

    /// Replaces the addresses; those that stay keep their connections and failures.
    pub(crate) fn set(&mut self, addresses: &[String], connect: impl Fn(&str) -> C) {
        self.members
            .retain(|member| addresses.contains(&member.address));
        for address in addresses {
            if self.members.iter().all(|it| &it.address != address) {
                self.members.push(Member {
                    address: address.clone(),
                    connection: connect(address),
                    failures: 0,
                    unanswered: 0,
                    rested: None,
                });
            }
        }
    }

    /// All addresses.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.members.iter().map(|it| it.address.clone()).collect()
    }

    /// Gives an address a connection that has been made already.
    pub(crate) fn connected(&mut self, address: &str, connection: C) {
        if let Some(member) = self.members.iter_mut().find(|it| it.address == address) {
            member.connection = connection;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(addresses: &[&str]) -> Rotation<()> {
        let mut rotation = Rotation::new();
        set(&mut rotation, addresses);
        rotation
    }

    fn set(rotation: &mut Rotation<()>, addresses: &[&str]) {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        rotation.set(&addresses, |_| ());
    }

    fn picks(rotation: &mut Rotation<()>, now: Instant, count: usize) -> String {
        let picked = (0..count).map(|_| rotation.pick(now).unwrap().0);
        picked.collect()
    }

    #[test]
    fn addresses_take_turns() {
        let mut three = rotation(&["a", "b", "c"]);
        assert_eq!(picks(&mut three, Instant::now(), 7), "abcabca");
        assert!(rotation(&[]).pick(Instant::now()).is_none());
    }

    #[test]
    fn one_that_answers_nobody_rests_and_one_that_answers_some_does_not() {
        let mut two = rotation(&["a", "b"]);
        let start = Instant::now();
        for _ in 0..UNANSWERED {
            assert_eq!(picks(&mut two, start, 2), "ab");
            two.given_up("b", start);
        }
        assert_eq!(picks(&mut two, start, 2), "aa");
        // Its next call shows whether it has come back.
        let first = start + FIRST_REST;
        assert_eq!(picks(&mut two, first, 1), "b");
        two.given_up("b", first);
        assert_eq!(picks(&mut two, first + FIRST_REST, 2), "aa");
        let second = first + 2 * FIRST_REST;
        assert_eq!(picks(&mut two, second, 1), "b");
        two.ended("b", false, second);
        for _ in 0..UNANSWERED {
            two.given_up("b", second);
            two.given_up("b", second);
            two.ended("b", false, second);
        }
        assert_eq!(picks(&mut two, second, 2), "ab");
    }

    #[test]
    fn one_that_failed_rests_longer_each_time_and_is_forgiven_at_once() {
        let mut three = rotation(&["a", "b", "c"]);
        let start = Instant::now();
        three.ended("b", true, start);
        // A second call that was under way says nothing new.
        three.ended("b", true, start);
        assert_eq!(picks(&mut three, start, 4), "acac");
        let first = start + FIRST_REST;
        assert_eq!(picks(&mut three, first, 3), "abc");
        three.ended("b", true, first);
        assert_eq!(picks(&mut three, first + FIRST_REST, 2), "ac");
        assert_eq!(picks(&mut three, first + 2 * FIRST_REST, 3), "abc");
        three.ended("b", false, first);
        assert_eq!(picks(&mut three, first, 3), "abc");
        for _ in 0..40 {
            let later = start + Duration::from_hours(1);
            three.members[1].rested = None;
            three.ended("b", true, later);
            assert!(three.members[1].rested.unwrap() <= later + LONGEST_REST);
        }
    }

    #[test]
    fn when_all_have_failed_the_first_that_may_be_back_is_asked() {
        let mut two = rotation(&["a", "b"]);
        let start = Instant::now();
        two.ended("b", true, start);
        two.ended("a", true, start + Duration::from_millis(1));
        assert_eq!(picks(&mut two, start + Duration::from_millis(2), 2), "bb");
    }

    #[test]
    fn new_addresses_join_and_old_ones_go() {
        let mut two = rotation(&["a", "b"]);
        let now = Instant::now();
        two.ended("b", true, now);
        set(&mut two, &["b", "c", "d"]);
        assert_eq!(picks(&mut two, now, 4), "cdcd");
        two.ended("gone", true, now);
        set(&mut two, &[]);
        assert!(two.is_empty());
    }
}
