//! The two ways that are measured.

use std::time::Duration;

use sixgate_lab::product::{CLIENT_DEVICE, address};
use sixgate_lab::{Lab, wait_for};

/// One direction of the main job.
pub(crate) struct Path {
    pub(crate) name: &'static str,
    /// The least ratio that is good enough.
    pub(crate) floor: f64,
    from: &'static str,
    to: &'static str,
    /// The server's address through sixgate; a name, or where it is empty the client's own address.
    target: &'static str,
    /// The server's address for the kernels' own forwarding.
    plain: &'static str,
    /// Routes for that: node, route.
    routes: &'static [(&'static str, &'static str)],
}

/// `iperf3` listens here; the lab's policy lets helpdesk-01 in at this port.
const PORT: &str = "8081";
const SECONDS: &str = "4";
/// Figures taken with another congestion control cannot be compared with others'.
const CONGESTION: &str = "cubic";

pub(crate) const PATHS: &[Path] = &[
    Path {
        name: "client -> IPv4 server",
        floor: 0.05,
        from: "laptop-01",
        to: "files",
        target: "files.corp.example",
        plain: "10.6.0.30",
        routes: &[("nat", "10.6.0.0/24 via 203.0.113.10"), ("files", "203.0.113.77/32 via 10.6.0.1")],
    },
    Path {
        name: "helpdesk -> client",
        floor: 0.03,
        from: "helpdesk-01",
        to: "laptop-01",
        target: "",
        plain: "192.168.77.10",
        routes: &[
            ("router", "192.168.77.0/24 via 10.6.0.1"),
            ("gateway", "192.168.77.0/24 via 203.0.113.77"),
            ("nat", "10.6.8.0/24 via 203.0.113.10"),
        ],
    },
];

impl Path {
    pub(crate) fn through_sixgate(&self, lab: &Lab) -> Result<f64, String> {
        let target = if self.target.is_empty() {
            address(lab, self.to, CLIENT_DEVICE).ok_or(format!("{} has no address", self.to))?
        } else {
            self.target.to_owned()
        };
        self.iperf(lab, &target, "-6")
    }

    /// Puts in the routes and the gateway's forwarding, measures, and takes them out again.
    pub(crate) fn through_kernels(&self, lab: &Lab) -> Result<f64, String> {
        let change = |word: &str| {
            self.routes
                .iter()
                .try_for_each(|(node, route)| lab.sh(node, &format!("ip route {word} {route}")).map(drop))
        };
        // Only of the outside: ip_forward would reset every interface's switch, also those that the gateway has set.
        let set = |value: &str| {
            lab.sh("gateway", &format!("sysctl -qw net.ipv4.conf.eth0.forwarding={value}")).map(drop)
        };
        change("add").and_then(|()| set("1")).map_err(|e| e.to_string())?;
        let measured = self.iperf(lab, self.plain, "-4");
        change("del").and_then(|()| set("0")).map_err(|e| e.to_string())?;
        measured
    }

    /// Mbit/s that arrived.
    fn iperf(&self, lab: &Lab, target: &str, family: &str) -> Result<f64, String> {
        let text = |e: sixgate_lab::LabError| e.to_string();
        let _ = lab.stop(self.to, "iperf3");
        lab.start(self.to, "iperf3", &["iperf3", "-s", "-1", "-p", PORT]).map_err(text)?;
        let listens = "grep -q ':1F91 [0-9A-F]*:0000 0A' /proc/net/tcp /proc/net/tcp6 2>/dev/null";
        wait_for(Duration::from_secs(5), || {
            lab.run(self.to, &["sh", "-c", listens]).is_ok_and(|done| done.ok())
        })
        .ok_or(format!("iperf3 does not listen on {}", self.to))?;
        let command = [
            "iperf3",
            family,
            "-J",
            "-C",
            CONGESTION,
            "-c",
            target,
            "-p",
            PORT,
            "-t",
            SECONDS,
            "-O",
            "1",
            "--connect-timeout",
            "3000",
        ];
        let done = lab.run(self.from, &command).map_err(text)?;
        let document: serde_json::Value =
            serde_json::from_str(&done.stdout).map_err(|_| format!("iperf3 to {target}: {}", done.said()))?;
        let used = document["end"]["sender_tcp_congestion"].as_str().unwrap_or("unknown");
        if document["error"].is_null() && used != CONGESTION {
            return Err(format!("{} -> {target}: iperf3 used {used} and not {CONGESTION}", self.from));
        }
        let rate = document["end"]["sum_received"]["bits_per_second"].as_f64();
        match rate {
            Some(rate) if rate > 0.0 => Ok(rate / 1e6),
            _ => Err(format!("{} -> {target}: iperf3 says {}", self.from, document["error"])),
        }
    }
}
