//! The built binary as root, on a service of another user in mount and pid namespaces of its own. Where this user may
//! not make such a service, the test says `left out:` and passes; `.ci/run apart` shows that line.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "rig/demo.rs"]
#[allow(dead_code, reason = "the service here is started by other means")]
mod demo;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use demo::{pollscope, run, words};

/// A user without rights, and one that is not that user.
const SERVICE: u32 = 65_534;
const STRANGER: u32 = 65_533;

/// Runs the binary as that user where `/tmp` is another folder, with the arguments of `unshare`.
fn apart(user: u32, unshare: &[&str], arguments: &str) -> Command {
    let program = env!("CARGO_BIN_EXE_pollscope");
    // The user may not be able to enter the folder of the build.
    let network = if unshare.contains(&"-n") { "ip link set lo up && " } else { "" };
    let script = format!(
        "{network}mount -t tmpfs tmpfs /tmp && touch /tmp/pollscope && mount --bind {program} /tmp/pollscope && \
         exec setpriv --reuid {user} --regid {user} --clear-groups /tmp/pollscope {arguments}"
    );
    // Its variables are those of this process but ours, so that its sockets are below its own `/tmp`.
    let mut command = Command::new("unshare");
    for (name, _) in pollscope(Path::new("")).get_envs() {
        command.env_remove(name);
    }
    command.args(unshare).args(["sh", "-c", &script]).stdin(Stdio::null());
    command
}

/// Why such a service cannot be made here; `None` if it can.
fn obstacle() -> Option<String> {
    let mut trial = Command::new("unshare");
    trial.args(["-m", "-p", "-f", "-n", "--mount-proc", "sh", "-c"]);
    let script = format!(
        "ip link set lo up && mount -t tmpfs tmpfs /tmp && setpriv --reuid {SERVICE} --clear-groups true"
    );
    trial.arg(script);
    match trial.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(words(&output).trim().replace('\n', " ")),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

#[expect(clippy::print_stdout, reason = "a test that is left out says so")]
fn is_left_out() -> bool {
    let obstacle = obstacle();
    if let Some(why) = &obstacle {
        println!("left out: attaching into other namespaces, which takes root here ({why})");
    }
    obstacle.is_some()
}

/// A demo of another user in other namespaces. Dropping it ends it.
struct Service {
    unshare: Child,
    /// Its pid here.
    pid: u32,
}

impl Service {
    fn start(listen: &str, unshare: &[&str]) -> Self {
        let mut command = apart(SERVICE, unshare, "demo --headless");
        command.env("POLLSCOPE_LISTEN", listen).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut unshare = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(unshare.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on "), "the demo said {line:?}");
        // Without `-f` there is no child: the program has become the demo itself.
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", unshare.id())).unwrap();
        let pid = children.trim().parse().unwrap_or(unshare.id());
        Self { unshare, pid }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        let _ = self.unshare.wait();
    }
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", words(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn rows(output: &Output) -> Vec<(u64, String)> {
    let page = json(output);
    let rows = page["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["pid"].as_u64().unwrap(), row["name"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn root_reaches_a_process_of_another_user_in_other_namespaces() {
    if is_left_out() {
        return;
    }
    let service = Service::start("unix", &["-m", "-p", "-f", "--mount-proc"]);
    let (pid, own) = (service.pid.to_string(), tempfile::tempdir().unwrap());
    let seen = run(own.path(), &["ps", "--from", &pid, "--format", "json"]);
    let expected = (u64::from(service.pid), "pollscope-demo".to_owned());
    assert_eq!(rows(&seen), std::slice::from_ref(&expected), "by its number here");

    let listed = rows(&run(own.path(), &["ps", "--format", "json"]));
    assert!(listed.contains(&expected), "among all: {listed:?}");

    let table = run(own.path(), &["ps", "--from", &pid]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains(" PID ") && table.contains(&format!(" {pid} ")), "what to attach to: {table}");

    let tasks = json(&run(own.path(), &["tasks", "--from", &pid, "--format", "json"]));
    assert!(!tasks["rows"].as_array().unwrap().is_empty(), "{tasks}");

    let doctor = run(own.path(), &["doctor", &pid]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    // To itself it is the first process there is.
    let path = format!("/tmp/pollscope-{SERVICE}/1.sock");
    let socket = format!("unix:/proc/{pid}/root{path}");
    assert!(said.contains(&socket), "{said}{}", words(&doctor));
    assert!(said.contains(&format!("(pid {pid} on ")) && !said.contains("descriptors  –"), "{said}");

    // A program of a third user is told what to type.
    let stranger = apart(STRANGER, &["-m"], &format!("tasks --from {pid}")).output().unwrap();
    assert_eq!(stranger.status.code(), Some(2), "{}", words(&stranger));
    let said = words(&stranger);
    assert!(
        said.contains(&format!("sudo /tmp/pollscope attach {pid}")) && said.lines().count() == 1,
        "{said}"
    );
}

#[test]
fn root_finds_a_port_of_another_user_by_pid_and_is_told_of_one_in_another_network() {
    if is_left_out() {
        return;
    }
    let own = tempfile::tempdir().unwrap();
    let service = Service::start("127.0.0.1:0", &["-m", "-p", "-f", "--mount-proc"]);
    let seen = run(own.path(), &["ps", "--from", &service.pid.to_string(), "--format", "json"]);
    assert_eq!(rows(&seen), [(u64::from(service.pid), "pollscope-demo".to_owned())]);
    drop(service);

    let service = Service::start("127.0.0.1:0", &["-m", "-p", "-f", "--mount-proc", "-n"]);
    let pid = service.pid.to_string();
    let refused = run(own.path(), &["tasks", "--from", &pid]);
    let said = words(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("network namespace of its own") && said.contains(&format!("nsenter -t {pid} -n")),
        "{said}"
    );
}
