//! What is measured, and what is good enough.

use super::bulk::Direction;
use super::subject::Subject;
use super::world::Mode;
use crate::statistics::median;

/// How a figure is taken.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Kind {
    Bulk(Direction),
    Datagrams,
    Connections,
    /// The time that this part of the datagrams does not exceed.
    RoundTrip {
        part: f64,
    },
}

impl Kind {
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Bulk(_) => "Gbit/s",
            Self::Datagrams => "packets/s",
            Self::Connections => "connections/s",
            Self::RoundTrip { .. } => "us",
        }
    }

    /// A value for people.
    pub(super) fn say(self, value: f64) -> String {
        match self {
            Self::Bulk(_) => format!("{value:.2}"),
            Self::Datagrams | Self::Connections => format!("{value:.0}"),
            Self::RoundTrip { .. } => format!("{value:.1}"),
        }
    }
}

/// One line of the result.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) mode: Mode,
    /// Least ratio to forwarding.
    pub(super) floor: Option<f64>,
    /// Least ratio to tayga; for a time, most of what tayga adds to forwarding.
    pub(super) peer_floor: Option<f64>,
    /// By subject, one of each round.
    pub(super) values: [Vec<f64>; 3],
}

/// All figures, those of one mode together.
pub(super) fn all() -> Vec<Figure> {
    let figure = |name, kind, mode, floor, peer_floor| Figure {
        name,
        kind,
        mode,
        floor,
        peer_floor,
        values: Default::default(),
    };
    let (up, down) = (Kind::Bulk(Direction::Up), Kind::Bulk(Direction::Down));
    vec![
        figure("TCP up, gso", up, Mode::Gso, Some(0.40), Some(8.0)),
        figure("TCP down, gso", down, Mode::Gso, Some(0.40), Some(8.0)),
        figure("UDP 64 octets", Kind::Datagrams, Mode::Gso, Some(0.65), None),
        figure("new TCP connections", Kind::Connections, Mode::Gso, None, Some(1.0)),
        figure("round trip, median", Kind::RoundTrip { part: 0.5 }, Mode::Gso, None, Some(1.0)),
        figure("round trip, 99 of 100", Kind::RoundTrip { part: 0.99 }, Mode::Gso, None, None),
        figure("TCP up, gro", up, Mode::Gro, Some(0.50), Some(4.0)),
        figure("TCP down, gro", down, Mode::Gro, Some(0.50), Some(4.0)),
        figure("TCP up, mtu", up, Mode::Mtu, Some(0.20), Some(1.0)),
        figure("TCP down, mtu", down, Mode::Mtu, Some(0.20), Some(1.0)),
    ]
}

impl Figure {
    pub(super) fn median(&self, subject: Subject) -> f64 {
        median(&self.values[subject as usize])
    }

    fn is_time(&self) -> bool {
        matches!(self.kind, Kind::RoundTrip { .. })
    }

    /// The part of forwarding that sixgate reaches; of a time, what it adds.
    pub(super) fn ratio(&self) -> f64 {
        let (limit, ours) = (self.median(Subject::Forward), self.median(Subject::Sixgate));
        if self.is_time() { ours - limit } else { ours / limit }
    }

    /// How much more than tayga sixgate reaches; of a time, the part of what tayga adds that sixgate adds.
    pub(super) fn peer_ratio(&self) -> f64 {
        let ours = self.median(Subject::Sixgate);
        let (limit, peer) = (self.median(Subject::Forward), self.median(Subject::Tayga));
        if self.is_time() { (ours - limit) / (peer - limit).max(f64::MIN_POSITIVE) } else { ours / peer }
    }

    /// True when nothing is below its floor; what was not measured is.
    pub(super) fn good(&self) -> bool {
        let enough = self.floor.is_none_or(|floor| self.ratio() >= floor);
        let peer = self.peer_ratio();
        let beats =
            self.peer_floor.is_none_or(|floor| if self.is_time() { peer <= floor } else { peer >= floor });
        enough && beats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, values: [f64; 3]) -> Figure {
        let mut figure = all().into_iter().find(|f| f.name == name).unwrap();
        figure.values = values.map(|v| vec![v, v * 100.0, v / 100.0]);
        figure
    }

    #[test]
    fn a_figure_is_good_from_its_floors_on() {
        assert!(of("TCP up, gso", [60.0, 24.0, 3.0]).good());
        assert!(!of("TCP up, gso", [60.0, 23.9, 1.0]).good(), "too little of forwarding");
        assert!(!of("TCP up, gso", [60.0, 24.0, 3.1]).good(), "too little beside tayga");
        assert!(!of("TCP up, gso", [60.0, f64::NAN, 3.0]).good(), "nothing measured");
        assert!(of("new TCP connections", [50.0, 14.0, 14.0]).good());
        assert!(of("round trip, median", [77.0, 91.0, 92.0]).good());
        assert!(!of("round trip, median", [77.0, 93.0, 92.0]).good(), "it adds more than tayga");
    }
}
