#!/usr/bin/env python3
"""The release binary, as a user runs it: `.ci/scenarios.py PATH/TO/pollscope [SCENARIO...]`.

What takes too long or needs too much for `cargo test`: the demo without a fault must raise nothing in two
minutes of load; and in a real terminal the UI must show the demo's culprit, leave the terminal as it found it
and no process behind. (That each fault raises its detector is tested in tui/tests/demo.rs.) Waits for what it
wants to see, never for a fixed time, and ends every process that it started.
"""

import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

PATIENCE = 120.0  # seconds until something must be there that takes a moment
QUIET = "120s"


class Failed(Exception):
    """A scenario did not go as it must."""


def wait(what, predicate, seconds=PATIENCE):
    """Asks again and again until there is an answer, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failed(f"no {what} within {seconds:.0f} s")
        time.sleep(0.2)


@contextlib.contextmanager
def demo(binary, fault):
    """A headless demo; gives the target to look at it."""
    command = [binary, "demo", "--headless", "--fault", fault]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        if not select.select([child.stdout], [], [], 30)[0]:
            raise Failed(f"`{' '.join(command)}` said nothing for 30 s")
        line = child.stdout.readline().strip()
        if not line.startswith("listening on "):
            raise Failed(f"expected `listening on TARGET`, got {line!r}")
        yield line.removeprefix("listening on ")
        if child.poll() is not None:
            raise Failed(f"the demo ended by itself with code {child.returncode}")
        child.terminate()
        if child.wait(timeout=20) != 0:
            raise Failed(f"the demo ended with code {child.returncode} on SIGTERM")
    finally:
        child.kill()
        child.wait()


def findings(binary, target, *more):
    """The open findings, as a script gets them."""
    command = [binary, "findings", "--from", target, "--format", "json", *more]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    if done.returncode != 0:
        raise Failed(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()}")
    page = json.loads(done.stdout)
    if (page["schema"], page["kind"]) != ("pollscope/1", "findings"):
        raise Failed(f"not a page of findings: {done.stdout[:200]}")
    return page["rows"]


def quiet(binary):
    with demo(binary, "none") as target:
        rows = findings(binary, target, "--for", QUIET)
    loud = [row for row in rows if row["level"] in ("warn", "deny")]
    if loud:
        raise Failed("\n".join(f"{row['level']} {row['detector']} at {row['site']}: {row['headline']}" for row in loud))
    return f"nothing at warn or above in {QUIET} of load"


def processes(binary):
    """Processes that run the binary."""
    real, found = os.path.realpath(binary), []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.path.realpath(entry / "exe") == real:
                found.append(int(entry.name))
    return found


def terminal(binary):
    if not shutil.which("tmux"):
        raise Failed("tmux is missing; install it (apt-get install tmux)")
    before = set(processes(binary))
    with tempfile.TemporaryDirectory() as folder:
        socket = ["tmux", "-S", f"{folder}/tmux"]

        def tmux(*arguments):
            return subprocess.run([*socket, *arguments], capture_output=True, text=True, check=True).stdout

        def screen():
            return tmux("capture-pane", "-p", "-t", "it")

        tmux("-f", "/dev/null", "new-session", "-d", "-s", "it", "-x", "100", "-y", "30", "sh")
        try:
            shell = "stty -a >{0}/before; {1} demo; echo code=$?; stty -a >{0}/after; echo all=done"
            tmux("send-keys", "-t", "it", shell.format(folder, binary), "Enter")
            wait("first screen", lambda: "? keys" in screen(), 30)
            began = time.monotonic()
            # The selected row is the first one; the flag says what is wrong with it.
            top = r"> !\w.*blocking\.rs:\d+.*"
            culprit = wait("flagged culprit in the top row", lambda: re.search(top, screen()))[0].strip()
            took = time.monotonic() - began
            tmux("send-keys", "-t", "it", "Q")
            wait("end", lambda: "all=done" in screen().replace("echo all=done", ""), 30)
            if "code=0" not in screen():
                raise Failed(f"the program did not end with 0:\n{screen()}")
        finally:
            tmux("kill-server")
        if pathlib.Path(folder, "before").read_text() != pathlib.Path(folder, "after").read_text():
            raise Failed("the terminal's settings are not what they were")
    wait("end of every process", lambda: set(processes(binary)) <= before, 10)
    return f"{took:.1f} s after the first screen: {culprit}"


def main():
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} PATH/TO/pollscope [SCENARIO...]")
    binary = os.path.abspath(sys.argv[1])
    scenarios = {"quiet": lambda: quiet(binary), "terminal": lambda: terminal(binary)}
    chosen = sys.argv[2:] or list(scenarios)
    unknown = [name for name in chosen if name not in scenarios]
    if unknown:
        sys.exit(f"no scenario {', '.join(unknown)}; there are {', '.join(scenarios)}")

    red = 0
    for name in chosen:
        began = time.monotonic()
        try:
            verdict, told = "ok ", scenarios[name]()
        except (Failed, KeyError, ValueError, subprocess.SubprocessError) as failed:
            verdict, told, red = "RED", f"{type(failed).__name__}: {failed}", red + 1
        print(f"{verdict} {name:<10} {time.monotonic() - began:5.1f} s  {told}", flush=True)
    sys.exit(1 if red else 0)


if __name__ == "__main__":
    main()
