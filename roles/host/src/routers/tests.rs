use std::fs;
use std::path::PathBuf;

use super::*;

const A: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 2);
const NAME: &str = "da-isatap.corp.example";

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sixgate-routers-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn specs() -> Vec<RouterSpec> {
    [NAME, "10.6.0.2"].iter().map(|text| RouterSpec::parse(text).unwrap()).collect()
}

fn failed() -> Answer {
    Answer::Failed("no server answers".to_owned())
}

#[test]
fn the_list_follows_the_file_and_survives_an_outage_and_a_restart() {
    let directory = Directory::new("restart");
    let (mut routers, remark) = Routers::load(&specs(), &directory.0);
    assert_eq!((routers.list(), remark), (vec![B], None));
    assert!(routers.learn(at(1), NAME, Answer::Addresses(vec![B, A])));
    assert_eq!(routers.list(), [A, B]);
    assert!(!routers.learn(at(2), NAME, Answer::Addresses(vec![A, B])), "the order means nothing");
    assert!(!routers.learn(at(3), NAME, failed()));
    routers.save().unwrap();
    let (again, _) = Routers::load(&specs(), &directory.0);
    assert_eq!(again.list(), [A, B]);
    let (name, known) = again.names().remove(0);
    assert_eq!((name.as_str(), known.learned, known.standing), (NAME, Some(at(2)), Standing::NotAsked));
    // A name that is not in the file any more is forgotten.
    let (other, _) = Routers::load(&specs()[1..], &directory.0);
    assert_eq!((other.list(), other.names.len()), (vec![B], 0));
}

#[test]
fn a_name_that_is_gone_keeps_its_last_list_and_says_so() {
    let directory = Directory::new("gone");
    let (mut routers, _) = Routers::load(&specs(), &directory.0);
    routers.learn(at(1), NAME, Answer::Addresses(vec![A]));
    for (second, answer, standing) in [
        (2, Answer::NoSuchName, Standing::Gone),
        (4, failed(), Standing::Unanswered),
        (6, Answer::NoAddress, Standing::Empty),
    ] {
        assert!(!routers.learn(at(second), NAME, answer.clone()));
        assert!(!routers.learn(at(second + 1), NAME, answer));
        let known = routers.names().remove(0).1;
        assert_eq!((known.standing, known.since, known.learned), (standing, Some(at(second)), Some(at(1))));
        assert_eq!(routers.list(), [A, B]);
    }
    assert_eq!(routers.names().remove(0).1.detail, None);
    // Another list takes its place at once.
    assert!(routers.learn(at(8), NAME, Answer::Addresses(vec![Ipv4Addr::new(10, 6, 0, 3)])));
    assert_eq!(routers.list(), [Ipv4Addr::new(10, 6, 0, 3), B]);
    // An answer about a name that the file had a moment ago.
    routers.set_specs(&specs()[1..]);
    assert!(!routers.learn(at(9), NAME, Answer::Addresses(vec![A])));
}

#[test]
fn a_damaged_cache_is_a_remark_and_no_error() {
    let directory = Directory::new("damaged");
    for text in ["{", "{\"schema\":2,\"names\":{}}", "{\"schema\":1,\"names\":{\"a\":[\"x\"]}}"] {
        fs::write(directory.0.join(cache::FILE), text).unwrap();
        let (routers, remark) = Routers::load(&specs(), &directory.0);
        assert_eq!(routers.list(), [B]);
        assert!(remark.unwrap().contains(cache::FILE), "{text}");
    }
}

#[test]
fn a_cache_without_times_is_read() {
    let directory = Directory::new("timeless");
    let text = format!("{{\"schema\":1,\"names\":{{\"{NAME}\":[\"10.6.0.1\"]}}}}");
    fs::write(directory.0.join(cache::FILE), text).unwrap();
    assert_eq!(Routers::load(&specs(), &directory.0).0.list(), [A, B]);
}

#[test]
fn nobody_is_known_only_after_every_name_was_looked_up() {
    let directory = Directory::new("nobody");
    let names: Vec<RouterSpec> = [NAME, "other.corp.example"].map(|t| RouterSpec::parse(t).unwrap()).to_vec();
    let (mut routers, _) = Routers::load(&names, &directory.0);
    assert!(!routers.nobody_is_known());
    routers.learn(at(1), NAME, Answer::NoSuchName);
    assert!(!routers.nobody_is_known(), "the other name may have an address");
    routers.learn(at(2), "other.corp.example", failed());
    assert!(routers.nobody_is_known());
    routers.learn(at(3), NAME, Answer::Addresses(vec![A]));
    assert!(!routers.nobody_is_known());
    let (with_address, _) = Routers::load(&specs()[1..], &directory.0);
    assert!(!with_address.nobody_is_known(), "an address can be asked");
}
