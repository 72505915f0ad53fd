//! The binary: what it prints, how it stops, what it says when it cannot start.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};

fn collector(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pollscope-collector"));
    command.args(args).env_remove("POLLSCOPE_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(args: &[&str]) -> Output {
    collector(args).output().unwrap()
}

/// Kills the process if a test ends early.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(args: &[&str]) -> (Running, String) {
    let mut child = collector(args).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Running(child), line)
}

fn signal(running: &Running, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(&running.0);
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn it_names_its_port_and_stops_on_both_signals() {
    for stop in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let (mut running, line) = start(&["--listen", "127.0.0.1:0"]);
        let port = line.strip_prefix("listening on 127.0.0.1:").and_then(|port| port.trim_end().parse().ok());
        assert!(port.is_some_and(|port: u16| port != 0), "{line:?}");
        signal(&running, stop);
        assert_eq!(running.0.wait().unwrap().code(), Some(0));
        let mut log = String::new();
        running.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains("stopping"), "{log}");
    }
}

#[test]
fn what_keeps_it_from_starting_is_one_line_and_code_2() {
    let (_running, line) = start(&["--listen", "127.0.0.1:0"]);
    let taken = line.trim().strip_prefix("listening on ").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collector.toml");
    std::fs::write(&file, "\nlisten_on = \"127.0.0.1:0\"\n").unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let cases = [
        (vec!["--listen", taken], format!("cannot listen on {taken}: already in use")),
        (vec!["--listen", "0.0.0.0:0"], "refusing to listen on 0.0.0.0:0".to_owned()),
        (vec!["--config", file.to_str().unwrap()], "collector.toml:2: unknown field `listen_on`".to_owned()),
        (vec!["--config", "/no/such/file"], "/no/such/file: ".to_owned()),
        (vec!["--config", "/dev/zero"], "/dev/zero: it is a device; name a plain file".to_owned()),
        (vec!["--config", pipe.to_str().unwrap()], "pipe: it is a pipe; name a plain file".to_owned()),
    ];
    for (args, words) in cases {
        let output = run(&args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(&words), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(output.stdout.is_empty());
    }
    let output = run(&["--listen", "here"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("invalid address `here`"), "{stderr}");
}

/// Connections that say nothing leave descriptors for others, and end.
/// A viewer gives a question up after that long, as the terminal UI does.
#[cfg(target_os = "linux")]
const GIVEN_UP: std::time::Duration = std::time::Duration::from_secs(3);

#[cfg(target_os = "linux")]
#[tokio::test]
async fn silent_connections_take_a_share_of_the_descriptors_and_viewers_are_answered() {
    use pollscope_proto::fleet::{AskRequest, client};
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 64; exec \"$0\" --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_pollscope-collector"),
    ]);
    command.env_remove("POLLSCOPE_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let id = running.0.id();
    let sockets = || {
        let files = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap();
        let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    };
    let before = sockets();

    let silent: Vec<_> = (0..300).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let warned = log.find_map(|line| line.ok().filter(|line| line.contains("connections"))).unwrap();
    assert!(warned.contains("connections refused"), "{warned}");
    let during = sockets();
    // A connection that is refused is accepted first, and open for a moment.
    assert!(during <= before + 32 + 1, "{before} sockets became {during}");

    let ask = || async {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.connect().await.ok()?;
        let query =
            pollscope_model::query::page::Query::all(pollscope_model::query::column::Kind::Processes, 9);
        let ask = pollscope_model::query::ask::Ask::Page(query);
        client(channel).ask(AskRequest::from(&ask)).await.ok()
    };
    crate::rig::soon("an answer", async {
        // A client whose connection is refused may wait for ever: a request of it is lost with the connection.
        while tokio::time::timeout(GIVEN_UP, ask()).await.ok().flatten().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    drop(silent);
}
