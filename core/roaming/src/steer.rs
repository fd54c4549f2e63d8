//! Which names go into the tunnel: the name resolution policy table (NRPT).
//!
//! | rule | matches | order |
//! | --- | --- | --- |
//! | `host.corp.example` | that name | 1 |
//! | `.corp.example` | the apex and all below, on label borders; most labels win | 2 |
//! | `.` | everything | last |
//!
//! A rule sends into the tunnel or is an exemption; of two equal ones the exemption wins, because the gateway's own name
//! must be found before there is a tunnel. A name that belongs to the tunnel never reaches the local network.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The table, and where the client stands.
#[derive(Clone, Debug)]
pub struct Steering {
    rules: Vec<Rule>,
    search: Vec<String>,
    mode: Mode,
}

/// Where the client stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Outside, and the tunnel is down.
    #[default]
    Down,
    /// Outside, and the tunnel is up.
    Tunnel,
    /// Inside the intranet: the table is off.
    Inside,
}

/// Where a question goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// To the name servers in the tunnel.
    Tunnel,
    /// To the local network's name servers.
    Local,
    /// Belongs to the tunnel, which is down: SERVFAIL at once, nothing is sent.
    Unreachable,
    /// A single label: never sent as it is. [`Steering::candidates`] has the names to ask instead.
    SingleLabel,
}

/// One line of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pattern: Pattern,
    exempt: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Pattern {
    Exactly(String),
    Under(String),
    Everything,
}

/// A text that is no domain name or rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadName(pub String);

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no domain name", self.0)
    }
}

impl core::error::Error for BadName {}

impl Steering {
    /// A table of rules that lead into the tunnel, exemptions from them, and the suffixes that single labels get.
    ///
    /// # Errors
    /// A rule or suffix that is no domain name.
    pub fn new<'a>(
        tunnel: impl IntoIterator<Item = &'a str>,
        exempt: impl IntoIterator<Item = &'a str>,
        search: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, BadName> {
        let mut rules = Vec::new();
        for (texts, exempt) in
            [(tunnel.into_iter().collect::<Vec<_>>(), false), (exempt.into_iter().collect(), true)]
        {
            for text in texts {
                rules.push(Rule { pattern: Pattern::parse(text)?, exempt });
            }
        }
        let search = search.into_iter().map(normal).collect::<Result<_, _>>()?;
        Ok(Self { rules, search, mode: Mode::default() })
    }

    /// Tells where the client stands now.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Where the client stands.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The table, in the order in which it was given: tunnel rules, then exemptions.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Where a question for `name` goes. Case and a final dot do not matter.
    #[must_use]
    pub fn decide(&self, name: &str) -> Decision {
        if self.mode == Mode::Inside {
            return Decision::Local;
        }
        let name = lower(name);
        match self.rule(&name) {
            Some(rule) if rule.exempt => Decision::Local,
            Some(_) if self.mode == Mode::Tunnel => Decision::Tunnel,
            Some(_) => Decision::Unreachable,
            // The root is no host's name, and what asks for it asks for nothing of the intranet.
            None if !name.is_empty() && !name.contains('.') => Decision::SingleLabel,
            None => Decision::Local,
        }
    }

    /// The rule that decides about `name`.
    #[must_use]
    pub fn matching(&self, name: &str) -> Option<&Rule> {
        self.rule(&lower(name))
    }

    /// A single label with each search suffix, in order; each comes under its own rule. Other names: only themselves.
    #[must_use]
    pub fn candidates(&self, name: &str) -> Vec<String> {
        let name = lower(name);
        if name.contains('.') || name.is_empty() {
            return Vec::from([name]);
        }
        self.search.iter().map(|suffix| alloc::format!("{name}.{suffix}")).collect()
    }

    fn rule(&self, name: &str) -> Option<&Rule> {
        // A single label alone can only be meant by itself: `.` must not send bare host names anywhere.
        let bare = !name.contains('.');
        self.rules
            .iter()
            .filter(|rule| rule.pattern.matches(name) && !(bare && rule.pattern == Pattern::Everything))
            .max_by_key(|rule| (rule.pattern.weight(), rule.exempt))
    }
}

impl Rule {
    /// True when the rule keeps names out of the tunnel.
    #[must_use]
    pub const fn is_exemption(&self) -> bool {
        self.exempt
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Pattern::Exactly(name) => f.write_str(name),
            Pattern::Under(apex) => write!(f, ".{apex}"),
            Pattern::Everything => f.write_str("."),
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, BadName> {
        match text.strip_prefix('.') {
            Some("") => Ok(Self::Everything),
            Some(apex) => Ok(Self::Under(normal(apex)?)),
            None => Ok(Self::Exactly(normal(text)?)),
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exactly(own) => own == name,
            Self::Under(apex) => match name.strip_suffix(apex.as_str()) {
                Some(rest) => rest.is_empty() || rest.ends_with('.'),
                None => false,
            },
            Self::Everything => true,
        }
    }

    /// More is stronger: exact names, then suffixes by their labels, then everything.
    fn weight(&self) -> usize {
        match self {
            Self::Exactly(_) => usize::MAX,
            Self::Under(apex) => 1 + apex.matches('.').count(),
            Self::Everything => 0,
        }
    }
}

/// Lower case, without the final dot.
fn lower(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn normal(text: &str) -> Result<String, BadName> {
    let name = lower(text);
    let good = name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()));
    if good && name.is_ascii() && !name.contains(char::is_whitespace) {
        Ok(name)
    } else {
        Err(BadName(text.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steering(mode: Mode) -> Steering {
        let mut steering = Steering::new(
            [".corp.example", ".lab.public.corp.example", "intra.example.org"],
            [".public.corp.example", "da.corp.example"],
            ["corp.example", "example.org"],
        )
        .unwrap();
        steering.set_mode(mode);
        steering
    }

    #[test]
    fn most_labels_win_on_label_borders() {
        let s = steering(Mode::Tunnel);
        for (name, want) in [
            ("corp.example", Decision::Tunnel),
            ("FILES.Corp.Example.", Decision::Tunnel),
            ("a.b.corp.example", Decision::Tunnel),
            ("xcorp.example", Decision::Local),
            ("example", Decision::SingleLabel),
            ("www.public.corp.example", Decision::Local),
            ("x.lab.public.corp.example", Decision::Tunnel),
            ("da.corp.example", Decision::Local),
            ("x.da.corp.example", Decision::Tunnel),
            ("intra.example.org", Decision::Tunnel),
            ("x.intra.example.org", Decision::Local),
            ("", Decision::Local),
            (".", Decision::Local),
        ] {
            assert_eq!(s.decide(name), want, "{name}");
        }
    }

    #[test]
    fn with_the_tunnel_down_steered_names_fail_and_nothing_else_does() {
        let s = steering(Mode::Down);
        assert_eq!(s.decide("files.corp.example"), Decision::Unreachable);
        assert_eq!(s.decide("da.corp.example"), Decision::Local);
        assert_eq!(s.decide("www.example.net"), Decision::Local);
    }

    #[test]
    fn inside_the_table_is_off() {
        let s = steering(Mode::Inside);
        assert_eq!(s.decide("files.corp.example"), Decision::Local);
        assert_eq!(s.decide("files"), Decision::Local);
    }

    #[test]
    fn single_labels_get_the_search_suffixes_and_are_never_sent_bare() {
        let s = steering(Mode::Tunnel);
        assert_eq!(s.decide("files"), Decision::SingleLabel);
        assert_eq!(s.candidates("Files"), ["files.corp.example", "files.example.org"]);
        assert_eq!(s.decide(&s.candidates("files")[0]), Decision::Tunnel);
        assert_eq!(s.decide(&s.candidates("files")[1]), Decision::Local);
        let mut all = Steering::new(["."], ["da.example.com"], []).unwrap();
        all.set_mode(Mode::Tunnel);
        assert_eq!(all.decide("files"), Decision::SingleLabel);
        assert_eq!(all.decide("www.example.net"), Decision::Tunnel);
        assert_eq!(all.decide("da.example.com"), Decision::Local);
    }

    #[test]
    fn an_exemption_wins_over_an_equal_rule() {
        let mut s = Steering::new(["x.corp.example", ".corp.example"], ["x.corp.example"], []).unwrap();
        s.set_mode(Mode::Tunnel);
        assert_eq!(s.decide("x.corp.example"), Decision::Local);
        assert_eq!(s.matching("x.corp.example").map(Rule::is_exemption), Some(true));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", "a..b", "..", "a b.example", &"x".repeat(64)] {
            assert!(Steering::new([bad], [], []).is_err(), "{bad:?}");
        }
    }

    proptest! {
        /// The law of the whole module: with the tunnel down nothing below a steered suffix is sent anywhere.
        #[test]
        fn no_steered_name_ever_goes_local_while_the_tunnel_is_down(label in "[a-z0-9-]{1,20}(\\.[a-zA-Z]{1,9}){0,3}") {
            let mut s = Steering::new([".corp.example"], [], []).unwrap();
            s.set_mode(Mode::Down);
            let name = alloc::format!("{label}.corp.example");
            prop_assert_eq!(s.decide(&name), Decision::Unreachable);
        }

        #[test]
        fn any_text_can_be_judged(name in "\\PC*") {
            let s = steering(Mode::Tunnel);
            let _ = (s.decide(&name), s.candidates(&name));
        }
    }
}
