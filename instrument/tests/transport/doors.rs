//! Connections that say nothing, at a service that may have few descriptors.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::rig::block_on;
use crate::rig::viewer::Viewer;

/// Tells a copy of this program to be the service.
const BE_THE_SERVICE: &str = "DOORS_SERVICE";
const PATIENCE: Duration = Duration::from_secs(60);
/// A viewer gives an attempt up after that long, as the terminal UI does.
const GIVEN_UP: Duration = Duration::from_secs(3);

/// The service: listens until its standard input ends.
/// Over at once, unless it runs in the child process of the test below.
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
#[expect(clippy::print_stdout, reason = "the child's words to the test that started it")]
#[test]
fn service() {
    if std::env::var_os(BE_THE_SERVICE).is_none() {
        return;
    }
    let guard = pollscope::init();
    println!("\nlistening on {}", guard.local_addr().expect("an address"));
    let _ = std::io::stdin().read(&mut [0]);
}

/// Ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Service {
    fn sockets(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.0.id())).expect("it runs");
        let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }
}

/// A service that may have so many descriptors, and where it listens.
fn start(descriptors: u32) -> (Service, String) {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "doors::service", "--nocapture", "--test-threads=1"]);
    command.env(BE_THE_SERVICE, "yes").env("POLLSCOPE_LISTEN", "127.0.0.1:0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut service = Service(command.spawn().unwrap());
    let lines = BufReader::new(service.0.stdout.take().unwrap()).lines();
    let address =
        lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned()));
    (service, address.expect("where it listens"))
}

#[test]
fn viewers_that_are_refused_are_counted() {
    let (_service, address) = start(512);
    block_on(async {
        let mut viewers = Vec::new();
        let refused = loop {
            match Viewer::attach(&address).await {
                Ok(viewer) => viewers.push(viewer),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted, "{refused}");
        let deadline = Instant::now() + PATIENCE;
        while viewers[0].next_report().await.losses.viewers_refused == 0 {
            assert!(Instant::now() < deadline, "no report tells of it");
        }
    });
}

#[test]
fn silent_connections_take_a_share_of_the_descriptors_and_viewers_can_still_attach() {
    let (mut service, address) = start(64);
    let mut warnings = BufReader::new(service.0.stderr.take().unwrap()).lines();
    let before = service.sockets();

    let mut silent: Vec<_> = (0..300).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let warned = warnings.find_map(|line| line.ok().filter(|line| line.contains("connection"))).unwrap();
    assert!(warned.contains("1 connection was refused, since 16 are open"), "{warned}");
    let during = service.sockets();
    // A connection that is refused is accepted first, and open for a moment.
    assert!(during <= before + 16 + 1, "{before} sockets became {during}");

    // Those that say nothing are closed after a while, and a viewer finds a place.
    let deadline = Instant::now() + PATIENCE;
    let (attached, losses) = block_on(async {
        loop {
            // A client whose connection is refused may wait for ever: a request of it is lost with the connection.
            match timeout(GIVEN_UP, Viewer::attach(&address)).await {
                Ok(Ok(mut viewer)) => {
                    let losses = viewer.next_report().await.losses;
                    break (viewer, losses);
                }
                Ok(Err(error)) => assert!(Instant::now() < deadline, "{error}"),
                Err(_) => assert!(Instant::now() < deadline, "no viewer is let in"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(attached.hello.process.pid, service.0.id());
    // Of 300, 16 were let in; those that were still connecting come on top.
    assert!(losses.connections_refused >= 284 && losses.total() == 0, "{losses:?}");
    for peer in &mut silent {
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let open = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        assert!(!peer.read_to_end(&mut Vec::new()).is_err_and(|error| open(&error)), "it is still open");
    }
}
