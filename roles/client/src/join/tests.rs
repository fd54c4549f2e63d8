use super::*;

fn wish(folder: &Path) -> Join {
    Join {
        gateway: GatewayUrl::parse("https://da.example.com:8443").unwrap(),
        token: Token::generate([7; 32]).unwrap(),
        config: folder.join("client.toml"),
        state: Some("/var/lib/a \"b\"".into()),
        control: None,
    }
}

#[test]
fn file_is_one_that_the_daemon_reads_whatever_the_paths_hold() {
    let folder = Path::new("/etc/sixgate");
    let text = render(&wish(folder), None, "laptop-01");
    let file = sixgate_config::client(&folder.join("client.toml"), &text).unwrap().value;
    assert_eq!(file.state, Path::new("/var/lib/a \"b\""));
    assert_eq!((file.name.as_str(), file.device.as_str()), ("laptop-01", "sixgate0"));
    assert_eq!(file.gateway[0].to_string(), "https://da.example.com:8443");
    assert_eq!(file.key, folder.join("laptop-01.key"));
}

#[test]
fn enrolling_again_keeps_what_the_administrator_wrote() {
    let folder = Path::new("/etc/sixgate");
    let text = render(&wish(folder), None, "laptop-01").replace("sixgate0", "tunnel7");
    let before = sixgate_config::client(&folder.join("client.toml"), &text).unwrap().value;
    let again = Join { state: None, ..wish(folder) };
    let text = render(&again, Some(&before), "laptop-01");
    let file = sixgate_config::client(&folder.join("client.toml"), &text).unwrap().value;
    assert_eq!((file.device.as_str(), file.state.as_path()), ("tunnel7", before.state.as_path()));
}

#[test]
fn file_of_somebody_else_is_not_replaced() {
    let folder = std::env::temp_dir().join(format!("sixgate-join-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("client.toml");
    assert!(before(&path).unwrap().is_none());
    fs::write(&path, "schema = 1\n[dns]\n").unwrap();
    assert_eq!(before(&path).unwrap_err().code(), Some("file-not-ours"));
    fs::remove_dir_all(&folder).unwrap();
}
