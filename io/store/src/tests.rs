use std::net::Ipv6Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

use sixgate_reason as reason;

use super::*;

/// A directory that is gone when the test is.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sixgate-store-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("state.redb")
    }

    fn store(&self) -> Store {
        Store::open(&self.file()).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn laptop() -> NewToken {
    NewToken { name: "laptop-01".into(), user: Some("jo".into()), groups: vec!["staff".into()] }
}

fn take(store: &Store, digest: [u8; 32], now: u64) -> Result<Client, reason::Reason> {
    store.enrol(digest, now, |token| Ok(Client::enrolled(token, [9; 32], now))).unwrap()
}

#[test]
fn of_a_thousand_who_come_at_once_with_one_token_one_gets_in() {
    let directory = Directory::new();
    let store = directory.store();
    store.add_token([1; 32], &laptop(), 100, 200).unwrap();
    let start = Barrier::new(1000);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..1000)
            .map(|_| {
                std::thread::Builder::new()
                    .stack_size(128 * 1024)
                    .spawn_scoped(scope, || {
                        start.wait();
                        take(&store, [1; 32], 150)
                    })
                    .unwrap()
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|o| **o == Err(reason::TOKEN_USED)).count(), 999);
}

#[test]
fn each_bad_token_has_its_reason() {
    let directory = Directory::new();
    let store = directory.store();
    for n in 1..=3 {
        store.add_token([n; 32], &laptop(), 100, 200).unwrap();
    }
    assert_eq!(take(&store, [7; 32], 150), Err(reason::TOKEN_UNKNOWN));
    assert_eq!(take(&store, [1; 32], 200), Err(reason::TOKEN_EXPIRED));
    assert!(take(&store, [1; 32], 199).is_ok());
    assert_eq!(take(&store, [1; 32], 199), Err(reason::TOKEN_USED));
    assert_eq!(store.revoke_tokens("02020202").unwrap(), 1);
    assert_eq!(take(&store, [2; 32], 150), Err(reason::TOKEN_REVOKED));
    assert_eq!(store.revoke_tokens("laptop-01").unwrap(), 1, "used and revoked ones do not count");
    assert_eq!(store.revoke_tokens("nobody").unwrap(), 0);
    let states: Vec<_> = store.tokens().unwrap().iter().map(|t| t.state(150)).collect();
    assert_eq!(states, [TokenState::Used, TokenState::Revoked, TokenState::Revoked]);
}

#[test]
fn token_stays_good_when_the_request_is_not() {
    let directory = Directory::new();
    let store = directory.store();
    store.add_token([1; 32], &laptop(), 100, 200).unwrap();
    let refused = store.enrol([1; 32], 150, |_| Err(reason::ENROL_REQUEST_INVALID)).unwrap();
    assert_eq!(refused, Err(reason::ENROL_REQUEST_INVALID));
    assert!(store.clients().unwrap().is_empty());
    assert!(take(&store, [1; 32], 150).is_ok());
}

#[test]
fn everything_is_there_after_a_new_start_and_nobody_else_may_read_it() {
    let directory = Directory::new();
    let store = directory.store();
    store.add_token([1; 32], &laptop(), 100, 200).unwrap();
    take(&store, [1; 32], 150).unwrap();
    store.change_values(Space::Names, [(&b"a"[..], Some(&b"1"[..]))]).unwrap();
    assert!(Store::open(&directory.file()).is_err_and(|e| e.to_string().contains("another sixgate")));
    drop(store);

    std::fs::set_permissions(directory.file(), Permissions::from_mode(0o644)).unwrap();
    let store = directory.store();
    let mode = std::fs::metadata(directory.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(take(&store, [1; 32], 150), Err(reason::TOKEN_USED));
    let client = store.client("laptop-01").unwrap().unwrap();
    assert_eq!((client.user.as_deref(), client.groups.as_slice()), (Some("jo"), &["staff".to_owned()][..]));
    assert_eq!(store.value(Space::Names, b"a").unwrap().as_deref(), Some(&b"1"[..]));
}

#[test]
fn client_is_admitted_with_its_own_last_certificate_only() {
    let directory = Directory::new();
    let store = directory.store();
    let refused = Err(reason::IPHTTPS_CLIENT_REVOKED);
    assert_eq!(store.admit("laptop-01", [9; 32]).unwrap(), refused);
    store.add_token([1; 32], &laptop(), 100, 200).unwrap();
    take(&store, [1; 32], 150).unwrap();
    assert!(store.admit("laptop-01", [9; 32]).unwrap().is_ok());
    assert_eq!(store.admit("laptop-01", [8; 32]).unwrap(), refused);
    assert!(store.set_revoked("laptop-01", true).unwrap());
    assert_eq!(store.admit("laptop-01", [9; 32]).unwrap(), refused);
    assert_eq!(store.enrolled().unwrap(), 0);
    assert!(!store.set_revoked("laptop-02", true).unwrap());

    // Enrolling anew lets it in again, and shuts the old certificate out.
    store.add_token([2; 32], &laptop(), 100, 200).unwrap();
    store.enrol([2; 32], 160, |token| Ok(Client::enrolled(token, [8; 32], 160))).unwrap().unwrap();
    assert!(store.admit("laptop-01", [8; 32]).unwrap().is_ok());
    assert_eq!(store.admit("laptop-01", [9; 32]).unwrap(), refused);
}

#[test]
fn renewed_certificate_replaces_the_older_one_when_it_is_first_shown() {
    let directory = Directory::new();
    let store = directory.store();
    let refused = Err(reason::IPHTTPS_CLIENT_REVOKED);
    assert_eq!(store.renew("laptop-01", [9; 32], [7; 32]).unwrap(), refused);
    store.add_token([1; 32], &laptop(), 100, 200).unwrap();
    take(&store, [1; 32], 150).unwrap();
    assert_eq!(store.renew("laptop-01", [8; 32], [7; 32]).unwrap(), refused);

    // An answer that is lost costs nothing: the next renewal takes its place.
    for fresh in [[6; 32], [7; 32]] {
        assert!(store.renew("laptop-01", [9; 32], fresh).unwrap().is_ok());
        assert!(store.admit("laptop-01", [9; 32]).unwrap().is_ok());
    }
    assert_eq!(store.admit("laptop-01", [6; 32]).unwrap(), refused);
    assert!(store.admit("laptop-01", [7; 32]).unwrap().is_ok());
    assert_eq!(store.admit("laptop-01", [9; 32]).unwrap(), refused);
    assert_eq!(store.renew("laptop-01", [9; 32], [5; 32]).unwrap(), refused);

    assert!(store.renew("laptop-01", [7; 32], [5; 32]).unwrap().is_ok());
    assert!(store.set_revoked("laptop-01", true).unwrap());
    for any in [[7; 32], [5; 32]] {
        assert_eq!(store.admit("laptop-01", any).unwrap(), refused);
        assert_eq!(store.renew("laptop-01", any, [4; 32]).unwrap(), refused);
    }
}

#[test]
fn address_is_kept_for_ever_and_never_given_twice() {
    let directory = Directory::new();
    let store = directory.store();
    let address = |n: u128| Ipv6Addr::from_bits(0xfd00 << 112 | n);
    for (n, name) in [(1, "a"), (2, "b"), (3, "c")] {
        store.add_token([n; 32], &NewToken { name: name.into(), ..NewToken::default() }, 100, 200).unwrap();
        take(&store, [n; 32], 150).unwrap();
    }
    let assign = |name: &str| store.assign_address(name, |_| true, (1..=2).map(address)).unwrap();
    assert_eq!(assign("a"), Some(address(1)));
    assert_eq!(assign("a"), Some(address(1)));
    assert_eq!(assign("b"), Some(address(2)));
    assert_eq!(assign("c"), None, "the pool is full");
    assert_eq!(assign("nobody"), None);
    assert_eq!(store.holder(address(2)).unwrap().as_deref(), Some("b"));

    // A new certificate keeps the address, a new prefix changes it, leaving for good frees it.
    store.add_token([4; 32], &NewToken { name: "a".into(), ..NewToken::default() }, 100, 200).unwrap();
    assert_eq!(take(&store, [4; 32], 150).unwrap().address, Some(address(1)));
    let moved = store.assign_address("a", |a| a.to_bits() & 0xff > 9, (9..20).map(address)).unwrap();
    assert_eq!(moved, Some(address(10)));
    assert_eq!(store.holder(address(1)).unwrap(), None);
    assert!(store.remove_client("b").unwrap().is_some());
    assert_eq!(store.remove_client("b").unwrap(), None);
    assert_eq!(assign("c"), Some(address(1)));
}

#[test]
fn tokens_of_no_use_are_forgotten_after_a_month() {
    let directory = Directory::new();
    let store = directory.store();
    store.add_token([1; 32], &laptop(), 100, 200).unwrap();
    store.add_token([2; 32], &laptop(), 200 + 29 * 86_400, 9_000_000).unwrap();
    assert_eq!(store.tokens().unwrap().len(), 2);
    store.add_token([3; 32], &laptop(), 200 + 30 * 86_400, 9_000_000).unwrap();
    let ids: Vec<_> = store.tokens().unwrap().into_iter().map(|t| t.id).collect();
    assert_eq!(ids, ["02020202", "03030303"]);
}

#[test]
fn spaces_do_not_mix() {
    let directory = Directory::new();
    let store = directory.store();
    store.change_values(Space::Names, [(&b"a"[..], Some(&b"1"[..])), (b"b", Some(b"2"))]).unwrap();
    store.replace_values(Space::IsatapHosts, [(&b"a"[..], &b"x"[..]), (b"", b"y")]).unwrap();
    store.change_values(Space::Names, [(&b"a"[..], None)]).unwrap();
    assert_eq!(store.values(Space::Names).unwrap(), [(b"b".to_vec(), b"2".to_vec())]);
    assert_eq!(
        store.values(Space::IsatapHosts).unwrap(),
        [(vec![], b"y".to_vec()), (b"a".to_vec(), b"x".to_vec())]
    );
    store.replace_values(Space::IsatapHosts, []).unwrap();
    assert!(store.values(Space::IsatapHosts).unwrap().is_empty());
    assert_eq!(store.values(Space::Names).unwrap().len(), 1);
}

#[test]
fn a_file_that_is_something_else_is_named() {
    let directory = Directory::new();
    std::fs::write(directory.file(), "this is no database").unwrap();
    let error = Store::open(&directory.file()).err().unwrap().to_string();
    assert!(error.contains("state.redb"), "{error}");
}
