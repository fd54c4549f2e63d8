//! Server and client against each other over a real socket.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sixgate_io_control::{Answer, CallError, Handler, Method, Request, Response, Server, call, stream};

struct Echo;

impl Handler for Echo {
    async fn handle(&self, request: Request) -> Response {
        match request.path.as_str() {
            "/echo" => Response::ok(json!({
                "schema": 1, "method": request.method.as_str(), "body": request.body, "uid": request.peer.uid
            })),
            "/no" => Response::failure(409, "busy", "somebody is at it"),
            path => Response::not_found(path),
        }
    }

    async fn answer(&self, request: Request) -> Answer {
        match request.path.as_str() {
            "/text" => Answer::Text { content_type: "text/plain", text: "plain\n".to_owned() },
            "/pieces" => {
                let (to, pieces) = tokio::sync::mpsc::channel(1);
                tokio::spawn(async move {
                    for n in 0..3 {
                        to.send(vec![n; 100_000]).await.unwrap();
                    }
                });
                Answer::Stream(pieces)
            }
            _ => Answer::Document(self.handle(request).await),
        }
    }
}

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sixgate-control-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("run/control.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(socket: &Path) -> tokio::task::JoinHandle<()> {
    let server = Server::bind(socket, 0o600).unwrap();
    tokio::spawn(server.serve(Echo))
}

#[tokio::test]
async fn a_call_is_answered_with_its_body_and_the_callers_user() {
    let folder = Folder::new("answer");
    let _task = start(&folder.socket());
    let answer = call(&folder.socket(), Method::Post, "/echo", &json!({"a": [1]})).await.unwrap();
    assert_eq!(answer["method"], "POST");
    assert_eq!(answer["body"], json!({"a": [1]}));
    assert_eq!(answer["uid"], rustix::process::geteuid().as_raw());
    let mode = std::fs::metadata(folder.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_failure_keeps_its_code_and_line() {
    let folder = Folder::new("failure");
    let _task = start(&folder.socket());
    let failure = call(&folder.socket(), Method::Get, "/no", &Value::Null).await.unwrap_err();
    let CallError::Refused { status, code, message } = failure else { panic!("{failure:?}") };
    assert_eq!((status, code.as_str(), message.as_str()), (409, "busy", "somebody is at it"));
    let unknown = call(&folder.socket(), Method::Get, "/else", &Value::Null).await.unwrap_err();
    assert!(matches!(unknown, CallError::Refused { status: 404, .. }), "{unknown:?}");
}

#[tokio::test]
async fn an_absent_and_a_stale_socket_are_unreachable_and_a_stale_one_is_replaced() {
    let folder = Folder::new("stale");
    let absent = call(&folder.socket(), Method::Get, "/echo", &Value::Null).await.unwrap_err();
    assert!(absent.to_string().contains("there is no such socket"), "{absent}");
    std::fs::create_dir_all(folder.socket().parent().unwrap()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.socket()).unwrap());
    let stale = call(&folder.socket(), Method::Get, "/echo", &Value::Null).await.unwrap_err();
    assert!(stale.to_string().contains("left over"), "{stale}");
    let _task = start(&folder.socket());
    call(&folder.socket(), Method::Get, "/echo", &Value::Null).await.unwrap();
}

#[tokio::test]
async fn a_living_daemons_socket_and_a_foreign_file_are_left_alone() {
    let folder = Folder::new("second");
    let _task = start(&folder.socket());
    let second = Server::bind(&folder.socket(), 0o600).unwrap_err();
    assert!(second.to_string().contains("another daemon answers there"), "{second}");
    call(&folder.socket(), Method::Get, "/echo", &Value::Null).await.unwrap();

    let file = folder.0.join("file");
    std::fs::write(&file, "mine").unwrap();
    let refused = Server::bind(&file, 0o600).unwrap_err();
    assert!(refused.to_string().contains("no socket"), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[tokio::test]
async fn the_socket_goes_away_with_the_server_and_a_successors_stays() {
    let folder = Folder::new("gone");
    let task = start(&folder.socket());
    call(&folder.socket(), Method::Get, "/echo", &Value::Null).await.unwrap();
    task.abort();
    let _ = task.await;
    assert!(!folder.socket().exists());

    let first = Server::bind(&folder.socket(), 0o600).unwrap();
    std::fs::remove_file(folder.socket()).unwrap();
    let _task = start(&folder.socket());
    drop(first);
    assert!(folder.socket().exists(), "the first daemon removed the second one's socket");
}

#[tokio::test]
async fn noise_and_oversized_bodies_cost_their_own_connection_only() {
    let folder = Folder::new("noise");
    let _task = start(&folder.socket());
    let socket = folder.socket();
    tokio::task::spawn_blocking(move || {
        let mut noise = UnixStream::connect(&socket).unwrap();
        noise.write_all(b"\x16\x03\x01 nonsense\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = noise.read_to_end(&mut answer);
        let mut large = UnixStream::connect(&socket).unwrap();
        let head = format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 2 << 20);
        large.write_all(head.as_bytes()).unwrap();
        let _ = large.write_all(&vec![b' '; 2 << 20]);
        let mut answer = [0; 12];
        large.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
    })
    .await
    .unwrap();
    let bad = call(&folder.socket(), Method::Post, "/echo", &json!("fine")).await.unwrap();
    assert_eq!(bad["body"], "fine");
}

#[tokio::test]
async fn what_is_no_sixgate_daemon_is_unreachable() {
    let folder = Folder::new("foreign");
    std::fs::create_dir_all(folder.socket().parent().unwrap()).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(folder.socket()).unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 512];
        let _ = stream.read(&mut buffer);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
    });
    let error = call(&folder.socket(), Method::Get, "/v1/status", &Value::Null).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
    thread.join().unwrap();
}

#[tokio::test]
async fn a_stream_comes_in_pieces_and_a_failure_as_a_failure() {
    let folder = Folder::new("stream");
    let served = start(&folder.socket());
    let mut pieces = stream(&folder.socket(), Method::Get, "/pieces", &Value::Null).await.unwrap();
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await {
        all.extend(piece);
    }
    assert_eq!((all.len(), all[0], all[299_999]), (300_000, 0, 2));
    let mut text = stream(&folder.socket(), Method::Get, "/text", &Value::Null).await.unwrap();
    assert_eq!(text.next().await.unwrap(), b"plain\n");
    assert!(text.next().await.is_none());
    let refused = stream(&folder.socket(), Method::Get, "/no", &Value::Null).await.unwrap_err();
    assert!(matches!(refused, CallError::Refused { status: 409, .. }), "{refused:?}");
    served.abort();
}
