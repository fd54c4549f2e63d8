//! What a step sends, and what the wires may say about it.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use super::report::Step;
use crate::error::LabError;
use crate::handle::{Lab, Output, wait_for};
use crate::taps::{Counts, Reading};
use crate::topology::Segment;

/// A string that nobody else sends.
///
/// # Errors
/// The kernel gives no random bytes.
pub fn marker() -> Result<String, LabError> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut bytes))
        .map_err(|e| LabError::io("make a marker", &e))?;
    Ok(bytes.iter().fold("marker-".to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

/// What curl got.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The body.
    pub body: String,
    /// HTTP status.
    pub status: String,
    /// The address that answered.
    pub from: String,
    /// Milliseconds, name lookup included.
    pub milliseconds: f64,
}

/// Fetches `url` on `node` with curl, in at most `seconds`; `sent` goes along as a header.
///
/// # Errors
/// curl's exit status and words.
pub fn fetch(lab: &Lab, node: &str, url: &str, sent: &str, seconds: u32) -> Result<Fetched, LabError> {
    let limit = seconds.to_string();
    let header = format!("X-Lab: {sent}");
    let format = "\n%{http_code} %{remote_ip} %{time_total}";
    let done = lab.run(node, &["curl", "-sS", "--max-time", &limit, "-H", &header, "-w", format, url])?;
    let Output { code, .. } = done;
    if code != 0 {
        return Err(LabError::failed(format!(
            "{node}: curl {url} ended with {code}: {}",
            done.stderr.trim()
        )));
    }
    let (body, last) = done.stdout.rsplit_once('\n').unwrap_or(("", &done.stdout));
    let mut words = last.split_whitespace().map(str::to_owned);
    let status = words.next().unwrap_or_default();
    let from = words.next().unwrap_or_default();
    let time: f64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(f64::MAX);
    Ok(Fetched { body: body.trim_end().to_owned(), status, from, milliseconds: time * 1000.0 })
}

/// Two markers on their way: one in what is asked, one in what is answered.
pub struct Traffic {
    /// In the request.
    pub asked: String,
    /// In the answer.
    pub answered: String,
}

impl Traffic {
    /// Puts the answer as `/FILE` on the HTTP server of `server`, and lets the taps look for both.
    ///
    /// # Errors
    /// The server's node or the supervisor does not answer.
    pub fn prepare(lab: &Lab, server: &str, file: &str) -> Result<Self, LabError> {
        let traffic = Self { asked: marker()?, answered: marker()? };
        lab.write(
            server,
            &format!("{}/{file}", crate::servers::ROOT),
            &format!("{}\n", traffic.answered),
            false,
        )?;
        lab.watch(&[&traffic.asked, &traffic.answered])?;
        Ok(traffic)
    }

    /// Fetches it and checks that it is it.
    ///
    /// # Errors
    /// What came back in its place.
    pub fn fetch(&self, lab: &Lab, node: &str, url: &str, step: &mut Step) -> Result<Fetched, LabError> {
        let got = fetch(lab, node, url, &self.asked, 5)?;
        step.did(
            node,
            &format!("curl {url}"),
            &format!("{} {:?} from {} in {:.0} ms", got.status, got.body, got.from, got.milliseconds),
        );
        if got.status != "200" || got.body != self.answered {
            return Err(LabError::failed(format!(
                "{node}: {url} answered {} {:?}, not the {:?} that lies there",
                got.status, got.body, self.answered
            )));
        }
        Ok(got)
    }

    /// How often both markers were seen on a segment; 0 unless each was.
    #[must_use]
    pub fn seen(&self, counts: &Counts) -> u64 {
        let (asked, answered) = (counts.marker(&self.asked), counts.marker(&self.answered));
        if asked == 0 || answered == 0 { 0 } else { asked + answered }
    }

    /// Frames with either marker.
    #[must_use]
    pub fn any(&self, counts: &Counts) -> u64 {
        counts.marker(&self.asked) + counts.marker(&self.answered)
    }

    /// Frames of protocol 41 with either marker.
    #[must_use]
    pub fn in_protocol_41(&self, counts: &Counts) -> u64 {
        [&self.asked, &self.answered]
            .iter()
            .filter_map(|marker| counts.markers_in_protocol_41.get(*marker))
            .sum()
    }

    /// What every step of the demo demands of the wires, and that nothing that is confidential was readable outside.
    ///
    /// # Errors
    /// What a wire carried that it must not, or that the encrypted way was not used at all.
    pub fn confidential(&self, reading: &Reading) -> Result<(), LabError> {
        clean(reading)?;
        for segment in [Segment::Internet, Segment::Home] {
            let seen = self.any(&reading.of(segment));
            demand(seen == 0, &format!("{seen} frames on {} had the content in clear", segment.name()))?;
        }
        let https = reading.of(Segment::Internet).https;
        demand(https > 0, "the internet saw no TLS segment: the content took another way")
    }
}

/// An error with this text unless `good`.
pub(super) fn demand(good: bool, why: &str) -> Result<(), LabError> {
    if good { Ok(()) } else { Err(LabError::failed(why)) }
}

/// What must hold on the wires at any time.
pub(super) fn clean(reading: &Reading) -> Result<(), LabError> {
    demand(reading.lost == 0, &format!("the taps lost {} frames: nothing is proven", reading.lost))?;
    for segment in [Segment::Corp, Segment::Desk] {
        let stray = reading.of(segment).ethertype_ipv6;
        demand(
            stray == 0,
            &format!("{stray} frames of ethertype 0x86dd on the intranet segment {}", segment.name()),
        )?;
    }
    let internet = reading.of(Segment::Internet);
    demand(internet.ipv6() == 0, &format!("{} frames of IPv6 on the internet", internet.ipv6()))?;
    let leaked = internet.intranet_address;
    demand(leaked == 0, &format!("{leaked} frames with an address of 10.6/16 on the internet"))
}

/// The taps prove themselves: each kind of frame that must not be there is sent once, and must be seen.
pub(super) fn proof(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let traffic = Traffic::prepare(lab, "web", "proof.txt")?;
    traffic.fetch(lab, "laptop-01", "http://web.example.com/proof.txt", step)?;
    let reading = lab.taps()?;
    for segment in [Segment::Home, Segment::Internet] {
        let seen = traffic.seen(&reading.of(segment));
        demand(seen > 0, &format!("a fetch in clear was not seen on {}", segment.name()))?;
    }
    step.wire(&format!(
        "a fetch in clear, outside the tunnel, is seen on home and internet ({} frames)",
        traffic.any(&reading.of(Segment::Internet))
    ));

    // The router has a leg on three of the four wires. Given IPv6 for a moment, its kernel speaks at once on each.
    let legs = "for d in eth0 eth1 eth2; do sysctl -qw net.ipv6.conf.$d.disable_ipv6";
    lab.sh("router", &format!("{legs}=0; done"))?;
    let wires = [Segment::Corp, Segment::Desk, Segment::Internet];
    let seen = wait_for(Duration::from_secs(5), || {
        lab.taps().is_ok_and(|reading| wires.iter().all(|segment| reading.of(*segment).ethertype_ipv6 > 0))
    });
    lab.sh("router", &format!("{legs}=1; done"))?;
    demand(
        seen.is_some(),
        "frames of ethertype 0x86dd that router sent on corp, desk and internet were not seen",
    )?;
    step.wire("frames of ethertype 0x86dd, sent by router on purpose, are seen on corp, desk and internet");
    lab.run("helpdesk-01", &["ping", "-c", "1", "-W", "1", "10.6.0.30"])?;
    let reading = lab.taps()?;
    let addresses = [Segment::Corp, Segment::Desk].map(|segment| reading.of(segment).intranet_address);
    demand(!addresses.contains(&0), "a ping between 10.6.8.20 and 10.6.0.30 was not seen on corp and desk")?;
    demand(reading.lost == 0, "the taps lost frames")?;
    // From zero, and from here on to the end everything counts.
    lab.begin()
}

/// The sum over all steps.
pub(super) fn whole(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let reading = lab.whole()?;
    let line = |segment: Segment| {
        let c = reading.of(segment);
        format!(
            "{}: {} frames, 0x86dd {}, protocol 41 {}, TLS {}, with 10.6/16 {}",
            segment.name(),
            c.frames,
            c.ethertype_ipv6,
            c.protocol_41,
            c.https,
            c.intranet_address
        )
    };
    for segment in Segment::ALL {
        step.wire(&line(segment));
    }
    clean(&reading)?;
    for segment in [Segment::Corp, Segment::Desk] {
        demand(
            reading.of(segment).protocol_41 > 0,
            &format!("no protocol 41 on {}: manage-out took another way", segment.name()),
        )?;
    }
    demand(reading.of(Segment::Internet).https > 0, "no TLS on the internet: the tunnel took another way")
}
