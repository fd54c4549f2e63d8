//! The lab itself: nothing is left, whichever way it ends, and labs live side by side.

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sixgate_e2e::World;
use sixgate_e2e::world::{binary, lab_command};
use sixgate_lab::wait_for;

/// All that a lab could leave on the machine.
fn traces(name: &str) -> String {
    let script = format!(
        "ip netns list | grep 'sg-{name}-'; ls /run/netns 2>/dev/null | grep 'sg-{name}-'\n\
         ls /run/sixgate-lab 2>/dev/null | grep -E '^{name}(.lock)?$'; mount | grep 'sg-{name}-'; true"
    );
    let done = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned() + &processes(name)
}

/// The lab's own processes.
fn processes(name: &str) -> String {
    let mut found = String::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<String> =
            command.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        if words.windows(4).any(|four| four[0] == "lab" && four[1] == "internal" && four[3] == name) {
            found.push_str(&format!("{:?} {}\n", entry.file_name(), words.join(" ")));
        }
    }
    found
}

fn start(name: &str) -> std::process::Child {
    Command::new(binary())
        .args(["lab", "--name", name, "up"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(pid: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn interrupted_at_any_moment_of_its_start_it_leaves_nothing() {
    let _turn = World::turn();
    let name = "e2e-int";
    for milliseconds in [5, 30, 80, 150, 300, 500, 900, 1_500, 2_500] {
        let mut up = start(name);
        thread::sleep(Duration::from_millis(milliseconds));
        if up.try_wait().unwrap().is_none() {
            signal(up.id(), "-INT");
            assert!(!up.wait().unwrap().success());
        } else {
            assert!(lab_command(name, &["down"]).status.success());
        }
        assert_eq!(traces(name), "", "interrupted after {milliseconds} ms");
    }
}

#[test]
fn killed_at_any_moment_of_its_start_it_leaves_nothing() {
    let _turn = World::turn();
    let name = "e2e-kill";
    for milliseconds in [30, 150, 400, 1_200] {
        let mut up = start(name);
        thread::sleep(Duration::from_millis(milliseconds));
        if up.try_wait().unwrap().is_none() {
            signal(up.id(), "-KILL");
        }
        let _ = up.wait();
        // Nobody waits for the reaper here.
        let gone = wait_for(Duration::from_secs(5), || traces(name).is_empty());
        if gone.is_none() {
            assert!(lab_command(name, &["status"]).status.success(), "neither up nor gone: {}", traces(name));
            assert!(lab_command(name, &["down"]).status.success());
        }
        assert_eq!(traces(name), "", "killed after {milliseconds} ms");
    }
}

#[test]
fn when_all_its_own_processes_are_killed_the_next_up_cleans_and_works() {
    let _turn = World::turn();
    let name = "e2e-crash";
    assert!(lab_command(name, &["up"]).status.success());
    let script = format!(
        "pids=$(pgrep -f 'lab internal (supervisor|reaper) {name}( |$)'); kill -STOP $pids; kill -KILL $pids; sleep 0.5"
    );
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    assert_ne!(traces(name), "", "names are left: nobody was there to remove them");
    assert_eq!(lab_command(name, &["status"]).status.code(), Some(3));
    assert!(lab_command(name, &["up"]).status.success());
    assert!(lab_command(name, &["exec", "laptop-01", "--", "ping", "-c1", "203.0.113.10"]).status.success());
    assert!(lab_command(name, &["down"]).status.success());
    assert_eq!(traces(name), "");
}

#[test]
fn the_main_job_passes_within_a_minute_and_the_lab_stays_until_it_is_told_to_go() {
    let _turn = World::turn();
    let name = "e2e-whole";
    let start = Instant::now();
    let done = lab_command(name, &[]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(start.elapsed() < Duration::from_secs(60), "it took {:?}", start.elapsed());
    for letter in ['a', 'b', 'c', 'd', 'e', 'f'] {
        assert!(said.contains(&format!(" ✓ ({letter}) ")), "{said}");
    }
    assert!(lab_command(name, &["status"]).status.success());
    assert!(!lab_command(name, &["up"]).status.success(), "a second one of the same name");
    assert!(lab_command(name, &["status"]).status.success(), "the first one is still there");
    assert!(lab_command(name, &["down"]).status.success());
    assert_eq!(traces(name), "");
}

#[test]
fn interrupted_in_the_demo_it_leaves_nothing() {
    let _turn = World::turn();
    let name = "e2e-demo";
    let mut whole = Command::new(binary())
        .args(["lab", "--name", name])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let up = wait_for(Duration::from_secs(30), || is_up(name));
    assert!(up.is_some(), "the lab did not come up");
    thread::sleep(Duration::from_millis(700));
    signal(whole.id(), "-INT");
    assert_eq!(whole.wait().unwrap().code(), Some(130));
    assert_eq!(traces(name), "");
}

/// What a lab must not change on the machine: devices, addresses, routes, rules, nft, sysctls, mounts, configuration files.
fn machine() -> String {
    let script = "ip -o link; ip -o -4 address; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule\n\
                  nft list ruleset; sysctl -a --pattern '^net\\.' 2>/dev/null | sort; mount | sort\n\
                  find /etc /usr/local /var/lib /var/cache /var/log /root/.ssh /root/.bashrc -xdev -type f -printf '%p %s %T@\\n' \
                  2>/dev/null | grep -E 'sixgate|bind|named|nginx|dropbear|ssh|hosts|resolv|nsswitch|hostname|gai' | sort; hostname";
    let done = Command::new("sh").args(["-c", script]).output().unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn nothing_outside_its_namespaces_changes() {
    let _turn = World::turn();
    let name = "e2e-apart";
    let before = machine();
    assert!(
        before.contains("/etc/hosts ") && before.contains("net.ipv4.ip_forward"),
        "the dump has what it is for: {before}"
    );
    assert!(lab_command(name, &["up"]).status.success());
    let during = machine();
    assert!(lab_command(name, &["down"]).status.success());
    let after = machine();
    let new: Vec<&str> = during.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    assert!(!new.is_empty() && new.iter().all(|line| line.contains("/run/netns/sg-e2e-apart-")), "{new:#?}");
    assert_eq!(sixgate_e2e::dump::difference(&before, &after), Vec::<String>::new());
}

fn is_up(name: &str) -> bool {
    let done = lab_command(name, &["--json", "status"]);
    String::from_utf8_lossy(&done.stdout).contains("\"up\":true")
}

#[test]
fn two_labs_live_side_by_side_and_exec_answers_the_commands_exit_status() {
    let world = World::up();
    let other = "e2e-other";
    assert!(lab_command(other, &["up"]).status.success());
    let host = lab_command(other, &["exec", "files", "--", "hostname"]);
    assert_eq!(String::from_utf8_lossy(&host.stdout).trim(), "files");
    assert_eq!(lab_command(other, &["exec", "files", "--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(lab_command(other, &["exec", "nowhere", "--", "true"]).status.code(), Some(2));
    assert!(lab_command(other, &["down"]).status.success());
    assert_eq!(traces(other), "");
    world.passes('a');
}
