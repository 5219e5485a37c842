//! The binary: how it starts, what it says, how it ends.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Output, Stdio};

use common::process::{BINARY, Process};
use common::{connect, pattern, raw_get, read_head, read_to_close};
use rustix::process::{Signal, getuid};

fn fails(arguments: &[&str]) -> Output {
    let output = Command::new(BINARY).args(arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    output
}

fn site_with(name: &str, content: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), content).unwrap();
    dir
}

#[test]
fn it_says_in_one_line_what_it_serves_and_where() {
    let dir = site_with("page.txt", b"a page");
    let process = Process::start(dir.path(), &["--workers", "3"]);
    let path = dir.path().canonicalize().unwrap();
    assert!(
        process.line.contains(path.to_str().unwrap()),
        "{}",
        process.line
    );
    assert!(process.line.contains("3 workers") && process.line.contains("/_engine/"));
    assert_ne!(process.address.port(), 0);
    let response = raw_get(process.address, "/page.txt", "");
    assert_eq!((response.status, response.body), (200, b"a page".to_vec()));
}

#[test]
fn ctrl_c_lets_an_open_download_finish() {
    let content = pattern(64 << 20);
    let dir = site_with("large", &content);
    for signal in [Signal::INT, Signal::TERM] {
        let mut process = Process::start(dir.path(), &[]);
        let mut idle = connect(process.address);
        let mut unused = connect(process.address);
        idle.write_all(b"GET /none HTTP/1.1\r\nhost: test\r\n\r\n")
            .unwrap();
        read_head(&mut idle);
        let mut download = connect(process.address);
        download
            .write_all(b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n")
            .unwrap();
        let (_, mut body) = read_head(&mut download);
        process.signal(signal);
        process.wait_for_drain();
        // Those that wait for nothing are closed at once.
        read_to_close(&mut idle).unwrap();
        assert_eq!(read_to_close(&mut unused).unwrap(), b"");
        assert!(
            process.child.try_wait().unwrap().is_none(),
            "the download is still open"
        );
        download.read_to_end(&mut body).unwrap();
        assert!(body == content, "{} of {} bytes", body.len(), content.len());
        assert_eq!(process.wait().code(), Some(0));
    }
}

/// It says that it is out of descriptors and that it finishes, and nobody listens.
#[test]
fn a_closed_standard_error_does_no_harm() {
    let dir = site_with("page.txt", b"a page");
    let mut command = Command::new("sh");
    let script = "ulimit -n 40 && exec \"$0\" \"$@\"";
    command.args(["-c", script, BINARY]).arg(dir.path());
    command
        .args(["--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped());
    let mut process = Process::spawn(command);
    drop(process.child.stderr.take());
    let crowd: Vec<TcpStream> = (0..100).map(|_| connect(process.address)).collect();
    drop(crowd);
    assert_eq!(raw_get(process.address, "/page.txt", "").status, 200);
    process.signal(Signal::INT);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn a_second_ctrl_c_exits_at_once() {
    let dir = site_with("large", &pattern(64 << 20));
    let mut process = Process::start(dir.path(), &[]);
    let mut download = connect(process.address);
    download
        .write_all(b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    read_head(&mut download);
    process.signal(Signal::INT);
    process.wait_for_drain();
    assert!(process.child.try_wait().unwrap().is_none());
    process.signal(Signal::INT);
    let status = process.wait();
    assert_eq!((status.code(), status.signal()), (Some(130), None));
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = site_with("page.txt", b"a page");
    let output = fails(&[dir.path().to_str().unwrap(), "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains(&address) && message.contains("in use"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn a_directory_that_is_none_is_named() {
    let dir = site_with("file", b"");
    for (name, why) in [("file", "Not a directory"), ("missing", "No such file")] {
        let path = dir.path().join(name);
        let output = fails(&[path.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(1));
        let message = String::from_utf8(output.stderr).unwrap();
        let expected = format!("engine-web: cannot serve {}: {why}", path.display());
        assert!(message.starts_with(&expected), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn arguments_are_checked() {
    for arguments in [
        &["--brotli-quality", "12"][..],
        &["--brotli-quality", "-1"],
        &["--workers", "0"],
        &["--cache-mib", "0"],
        &["--cache-mib", "1", "--no-cache"],
        &["--unknown"],
        &["a", "b"],
    ] {
        assert_eq!(fails(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let output = fails(&[".", "--listen", "nonsense"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("nonsense")
    );
}

/// The server as somebody whom permissions bind: the superuser may read everything.
struct User {
    command: Command,
    /// Holds a copy of the binary: the build folder need not be open to others.
    _copy: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        let copy = tempfile::tempdir().unwrap();
        let mut command = Command::new(BINARY);
        if getuid().is_root() {
            let binary = copy.path().join("engine-web");
            fs::copy(BINARY, &binary).unwrap();
            fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755)).unwrap();
            command = Command::new(binary);
            command.uid(65534).gid(65534);
        }
        Self {
            command,
            _copy: copy,
        }
    }
}

#[test]
fn a_directory_that_may_not_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let set = |name: &str, mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(dir.path().join(name), permissions).unwrap();
    };
    set("", 0o755);
    fs::create_dir_all(dir.path().join("closed/inner")).unwrap();
    // Neither its names nor what is in it; its names alone are not enough; and one
    // whose parent is closed.
    for (mode, name) in [
        (0o000, "closed"),
        (0o311, "closed"),
        (0o600, "closed/inner"),
    ] {
        set("closed", mode);
        let path = dir.path().join(name);
        let mut user = User::new();
        user.command.arg(&path).args(["--listen", "127.0.0.1:0"]);
        let output = user.command.output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{mode:o}: {message}");
        let expected = format!(
            "engine-web: cannot serve {}: Permission denied",
            path.display()
        );
        assert!(message.starts_with(&expected), "{mode:o}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(output.stdout.is_empty());
    }
    set("closed", 0o755);
}

#[test]
fn what_may_not_be_read_is_forbidden() {
    let dir = site_with("locked.txt", b"locked");
    fs::write(dir.path().join("open.txt"), "open").unwrap();
    fs::create_dir(dir.path().join("locked")).unwrap();
    fs::write(dir.path().join("locked/inside.txt"), "inside").unwrap();
    let set = |name: &str, mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(dir.path().join(name), permissions).unwrap();
    };
    set("", 0o755);
    set("locked.txt", 0o000);
    set("locked", 0o000);
    // Outside, and as little to be told from a missing file as anything there.
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("inner")).unwrap();
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(outside.path(), closed).unwrap();
    symlink(outside.path(), dir.path().join("outside")).unwrap();
    let mut user = User::new();
    user.command
        .arg(dir.path())
        .args(["--listen", "127.0.0.1:0"]);
    let process = Process::spawn(user.command);
    for target in [
        "/locked.txt",
        "/locked/",
        "/locked/inside.txt",
        "/locked/index.html",
    ] {
        let response = raw_get(process.address, target, "");
        assert_eq!(response.status, 403, "{target}");
        assert!(!String::from_utf8_lossy(&response.body).contains("inside"));
    }
    for target in ["/outside/", "/outside/inner/", "/outside/none"] {
        assert_eq!(raw_get(process.address, target, "").status, 404, "{target}");
    }
    assert_eq!(raw_get(process.address, "/open.txt", "").status, 200);
    set("locked", 0o755);
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn out_of_descriptors_it_waits_and_recovers() {
    let dir = site_with("page.txt", b"a page");
    let mut command = Command::new("sh");
    let script = "ulimit -n 40 && exec \"$0\" \"$@\"";
    command.args(["-c", script, BINARY]).arg(dir.path());
    command
        .args(["--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped());
    let mut process = Process::spawn(command);
    let mut errors = BufReader::new(process.child.stderr.take().unwrap());
    let crowd: Vec<TcpStream> = (0..100).map(|_| connect(process.address)).collect();
    let mut warning = String::new();
    errors.read_line(&mut warning).unwrap();
    assert!(warning.contains("cannot accept for now"), "{warning}");
    drop(crowd);
    assert_eq!(raw_get(process.address, "/page.txt", "").status, 200);
    process.signal(Signal::INT);
    assert_eq!(process.wait().code(), Some(0));
}
