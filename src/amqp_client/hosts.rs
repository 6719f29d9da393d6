//! Which of a broker's hosts is tried first: that of the last connection that was made.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{Broker, NotConnected};

/// The place of a host in the address. Clones share it, so that what one connection of the process finds out serves
/// its others.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<AtomicUsize>);

impl Broker {
    /// The host that is tried first just now, by its place in the address.
    pub fn first(&self) -> usize {
        self.turn.0.load(Ordering::Relaxed)
    }

    /// Name and port of the host that is tried first: the one in use, once a connection stands.
    ///
    /// # Panics
    /// Never: an address has a host.
    pub fn place(&self) -> (&str, u16) {
        self.uri.hosts_and_ports().nth(self.first()).expect("the first is a place in the address")
    }

    /// Every host once, from the first on.
    pub fn in_turn(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = (self.first(), self.uri.places().len());
        (0..count).map(move |step| (first + step) % count)
    }

    /// The broker at one of its hosts alone.
    ///
    /// # Panics
    /// The address names fewer.
    pub fn at(&self, host: usize) -> Self {
        let uri = self.uri.each().nth(host).expect("a place in the address");
        Self { uri, turn: Turn::default(), ..self.clone() }
    }

    /// This host let us in: it is the first from now on.
    pub fn worked(&self, host: usize) {
        self.turn.0.store(host, Ordering::Relaxed);
    }

    /// This host is of no use just now: the next is the first from now on, unless another is already.
    pub fn pass_by(&self, host: usize) {
        let next = (host + 1) % self.uri.places().len();
        // Who was quicker knows better.
        let _ = self.turn.0.compare_exchange(host, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// What each host said, by its name and port; or what the only one did.
pub(super) fn together(mut refusals: Vec<(String, NotConnected)>) -> NotConnected {
    if refusals.len() == 1 { refusals.remove(0).1 } else { NotConnected::Nowhere(refusals) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{amqp_client::Tls, amqp_uri::AmqpUri};

    fn broker(uri: &str) -> Broker {
        Broker::new(AmqpUri::parse(uri).unwrap(), Tls::default(), Duration::from_secs(1))
    }

    #[test]
    fn hosts_are_tried_in_turn_from_the_last_that_worked() {
        let broker = broker("amqp://u:s3cret@one,two:5673,three/v");
        let order = |broker: &Broker| broker.in_turn().collect::<Vec<_>>();
        assert_eq!(order(&broker), [0, 1, 2]);
        broker.clone().worked(2);
        assert_eq!(order(&broker), [2, 0, 1], "a clone's connection counts for all");
        broker.pass_by(2);
        assert_eq!(order(&broker), [0, 1, 2]);
        broker.pass_by(1);
        assert_eq!(order(&broker), [0, 1, 2], "only the first is passed by");
        assert_eq!(broker.at(1).uri.reveal(), "amqp://u:s3cret@two:5673/v?heartbeat=10");
        assert_eq!(order(&broker.at(1)), [0]);
    }

    #[tokio::test]
    async fn nobody_there_is_told_for_each_host_and_without_the_password() {
        let broker = broker("amqp://u:s3cret@127.0.0.1:1,127.0.0.1:2/v");
        let refused = super::super::connect(&broker, "test").await.unwrap_err();
        let told = refused.to_string();
        for host in ["127.0.0.1:1: ", "127.0.0.1:2: "] {
            assert!(told.contains(host), "{told}");
        }
        assert!(told.contains("refused") && !told.contains("s3cret"), "{told}");
        let alone = super::super::connect(&broker.at(0), "test").await.unwrap_err();
        assert!(matches!(alone, NotConnected::Refused(_)), "one host speaks for itself");
    }
}
