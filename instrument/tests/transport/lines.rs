//! What the operator of the service reads on stderr. Each case is a process of its own: this test
//! binary, told to run only [`service`].

use std::process::{Command, Output};

/// Tells a copy of this program to be the service.
const BE_THE_SERVICE: &str = "LINES_SERVICE";

/// The service: starts pollscope, works, ends.
/// Over at once, unless it runs in the child process of one of the tests below.
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
#[test]
fn service() {
    if std::env::var_os(BE_THE_SERVICE).is_none() {
        return;
    }
    let guard = pollscope::init();
    println_flushed(&format!("status {:?}, listening {}", guard.status(), guard.local_addr().is_some()));
    println_flushed(&format!("beside the sockets {:?}", files()));
    drop(guard);
    println_flushed(&format!("at the end {:?}", files()));
    println_flushed("the service has done its work");
}

/// How the files end that are in the folder of the user's sockets, but for what an earlier service left.
#[expect(clippy::disallowed_methods, reason = "where this process puts them")]
fn files() -> Vec<String> {
    let folder = std::path::PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").unwrap()).join("pollscope");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.map(|name| name.replace(&std::process::id().to_string(), "own")).collect()
}

#[expect(clippy::print_stdout, reason = "the child's words to the test that started it")]
fn println_flushed(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_methods, reason = "a child without the variables of this process")]
fn run(variables: &[(&str, &str)]) -> (String, Vec<String>) {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "lines::service", "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("POLLSCOPE") {
            command.env_remove(name);
        }
    }
    command.env(BE_THE_SERVICE, "yes").env("XDG_RUNTIME_DIR", home.path());
    command.envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("the service has done its work"), "{stdout}{stderr}");
    let lines = stderr.lines().filter(|line| line.starts_with("pollscope: ")).map(str::to_owned).collect();
    (stdout.into_owned(), lines)
}

#[test]
fn a_healthy_start_says_nothing_unless_asked() {
    let (out, lines) = run(&[]);
    assert!(out.contains("status Recording, listening true"), "{out}");
    assert_eq!(lines, Vec::<String>::new());
    let (_, lines) = run(&[("POLLSCOPE_LOG", "info")]);
    assert!(lines[0].starts_with("pollscope: listening on unix:"), "{lines:?}");
}

/// Without that line its port could not be known, and without a note it would not be found.
#[test]
fn a_port_is_told_once_and_noted_beside_the_sockets_until_the_end() {
    let (out, lines) = run(&[("POLLSCOPE_LISTEN", "127.0.0.1:0")]);
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let port: u16 = line.strip_prefix("pollscope: listening on 127.0.0.1:").unwrap().parse().unwrap();
    assert_ne!(port, 0);
    assert!(out.contains("beside the sockets [\"own.listen\"]") && out.contains("at the end []"), "{out}");
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", folder.path().join("s").display());
    let (out, lines) = run(&[("POLLSCOPE_LISTEN", &socket)]);
    assert!(out.contains("beside the sockets [\"own.listen\"]") && out.contains("at the end []"), "{out}");
    assert_eq!(lines, Vec::<String>::new());
    let (out, _) = run(&[]);
    assert!(out.contains("beside the sockets [\"own.sock\"]") && out.contains("at the end []"), "{out}");
    let (out, lines) = run(&[("POLLSCOPE_LISTEN", "127.0.0.1:0"), ("POLLSCOPE_LOG", "off")]);
    assert!(out.contains("own.listen") && lines.is_empty(), "{lines:?}");
}

/// Neither a pipe without another end nor an endless device may hold a service at its first line.
#[test]
fn a_file_that_is_none_is_a_line_and_nothing_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.mcap");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    for policy in [pipe, "/dev/zero"] {
        let (out, lines) = run(&[("POLLSCOPE_POLICY", policy), ("POLLSCOPE_RECORD", pipe)]);
        assert!(out.contains("status Recording, listening true"), "{out}");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("POLLSCOPE_POLICY") && lines[0].contains("name a plain file"), "{lines:?}");
        let why = if cfg!(feature = "recording") { "it is no plain file" } else { "`recording` feature" };
        assert!(lines[1].contains(pipe) && lines[1].contains(why), "{lines:?}");
    }
}

#[test]
fn garbage_in_the_environment_is_one_line_each() {
    let (out, lines) = run(&[
        ("POLLSCOPE", "turbo"),
        ("POLLSCOPE_LISTEN", "the moon"),
        ("POLLSCOPE_ENDPOINT", "https://collector:1"),
        ("POLLSCOPE_INTERVAL", "often"),
        ("POLLSCOPE_POLICY", "/no/such/file"),
        ("POLLSCOPE_SLOW_POLL", "12 parsecs"),
        ("POLLSCOPE_LOG", "loud"),
    ]);
    assert!(out.contains("status Recording, listening true"), "{out}");
    assert_eq!(lines.len(), 7, "{lines:#?}");
    let named =
        |name: &str, expected: &str| lines.iter().any(|line| line.contains(name) && line.contains(expected));
    assert!(named("POLLSCOPE=turbo", "expected off, sample, wrap or hooks"), "{lines:#?}");
    assert!(named("POLLSCOPE_LISTEN=the moon", "expected off, unix, unix:PATH"), "{lines:#?}");
    assert!(named("POLLSCOPE_SLOW_POLL=12 parsecs", "expected a duration"), "{lines:#?}");
}

#[test]
fn off_is_off() {
    let (out, lines) = run(&[("POLLSCOPE", "off"), ("POLLSCOPE_LISTEN", "the moon")]);
    assert!(out.contains("status Off, listening false"), "{out}");
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn a_taken_port_is_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (out, lines) = run(&[("POLLSCOPE_LISTEN", &address)]);
    assert!(out.contains("status Recording, listening false"), "{out}");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains(&address) && lines[0].contains("the port is taken"), "{lines:#?}");
}
