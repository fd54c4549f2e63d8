//! Times and amounts as people say them.

use sixgate_api::Timestamp;

/// `3 s`, `5 min`, `2 h`, `4 d`
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Since `then`; `-` when there is no such time.
pub(crate) fn ago(then: Option<Timestamp>) -> String {
    then.map_or_else(|| "-".to_owned(), |t| span(seconds_between(t, Timestamp::now())))
}

/// Until `then`.
pub(crate) fn until(then: Timestamp) -> String {
    span(seconds_between(Timestamp::now(), then))
}

/// `812`, `12 k`, `3.4 M`
pub(crate) fn octets(n: u64) -> String {
    let mut value = n as f64;
    let mut unit = "";
    for next in [" k", " M", " G", " T"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit.is_empty() || value >= 10.0 { format!("{value:.0}{unit}") } else { format!("{value:.1}{unit}") }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    // Clocks of this process and of the daemon are one; a negative span is rounding.
    u64::try_from((to.as_millisecond() - from.as_millisecond() + 500) / 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        assert_eq!([0, 999, 1000, 12_345, 3_400_000].map(octets), ["0", "999", "1.0 k", "12 k", "3.4 M"]);
        assert_eq!([3, 119, 120, 7200, 200_000].map(span), ["3 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
