#!/usr/bin/env python3
"""How many crates pollscope adds to a service, for each set of features.

    .ci/footprint.py            the table of README.md, measured
    .ci/footprint.py --check    the same; fails over the budget, or if that table says something else

Generates two tiny services in a temporary folder, a plain tokio one and an axum one, once without pollscope and
once with each set of features, and asks `cargo tree` which crates cargo would build (normal and build
dependencies, this machine's target). Builds nothing and needs no network; versions are those of Cargo.lock.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "README.md"
SERVICES = {
    "plain": 'tokio = { version = "1", features = ["macros", "net", "rt-multi-thread", "time"] }\n',
    "axum": 'axum = "0.8"\ntokio = { version = "1", features = ["macros", "net", "rt-multi-thread", "time"] }\n',
}
DEFAULT = "default"
NONE = "default-features = false"
# What is printed: a set of features, what it is for, and what to write for it.
SETS = {
    DEFAULT: ("`export`, `macros` and `backtrace`", {}),
    NONE: ("`pollscope::spawn` and its like, `overloaded()`; in-process reports", {"default": False}),
    "macros": ("`#[pollscope::main]`", {"default": False, "features": ["macros"]}),
    "backtrace": ("stacks of blocked polls", {"default": False, "features": ["backtrace"]}),
    "export": ("terminal, scripts, collectors", {"default": False, "features": ["export"]}),
    "recording": ("files alone, without gRPC", {"default": False, "features": ["recording"]}),
    "tower": ("requests by route, tonic and others", {"default": False, "features": ["tower"]}),
    "axum": ("requests by route, axum 0.8", {"default": False, "features": ["axum"]}),
    "default + recording": ("files: `POLLSCOPE_RECORD`, `POLLSCOPE_DUMP`", {"features": ["recording"]}),
    "default + check": ("`#[pollscope::test]`, for dev-dependencies", {"features": ["check"]}),
}
# The most that may be added.
BUDGET = {(DEFAULT, "plain"): 60, (DEFAULT, "axum"): 40, (NONE, "plain"): 15, (NONE, "axum"): 15}
# Sets that must do without these crates.
WITHOUT = {
    DEFAULT: ["cc", "pkg-config"],
    NONE: ["cc", "h2", "hyper", "pkg-config", "prost", "tonic"],
    "recording": ["h2", "http", "http-body", "hyper", "tonic"],
    "tower": ["axum", "h2", "hyper", "tonic", "tower"],
}


def crates(folder, dependencies):
    """The crates of a service with these dependencies, itself left out: names with versions."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "lib.rs").touch()
    shutil.copy(ROOT / "Cargo.lock", folder)
    (folder / "Cargo.toml").write_text(
        '[workspace]\n[package]\nname = "service"\nversion = "0.0.0"\nedition = "2024"\n'
        f"[dependencies]\n{dependencies}"
    )
    tree = ["cargo", "tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]
    lines = subprocess.run(tree, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {tuple(line.split()[:2]) for line in lines if line} - {("service", "v0.0.0")}


def dependency(default=True, features=()):
    names = ", ".join(f'"{name}"' for name in features)
    switch = "" if default else ", default-features = false"
    return f'pollscope = {{ path = "{ROOT / "instrument"}"{switch}, features = [{names}] }}\n'


def measure():
    """For each set, and each service, what is added."""
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        plain = {kind: crates(temporary / kind, lines) for kind, lines in SERVICES.items()}
        return {
            name: {
                kind: crates(temporary / f"{kind}-{number}", lines + dependency(**choice)) - plain[kind]
                for kind, lines in SERVICES.items()
            }
            for number, (name, (_, choice)) in enumerate(SETS.items())
        }


def table(added):
    yield "| features | for | crates added to plain tokio | to axum | C compiler |"
    yield "|---|---|--:|--:|---|"
    for name, services in added.items():
        compiler = any(crate == "cc" for crate, _ in services["plain"])
        counts = " | ".join(str(len(services[kind])) for kind in SERVICES)
        yield f"| `{name}` | {SETS[name][0]} | {counts} | {'yes' if compiler else 'no'} |"


def complaints(added, lines):
    for (name, kind), most in BUDGET.items():
        count = len(added[name][kind])
        if count > most:
            names = ", ".join(sorted(crate for crate, _ in added[name][kind]))
            yield f"{name} adds {count} crates to the {kind} service, over the budget of {most}: {names}"
    for name, unwanted in WITHOUT.items():
        for crate in sorted({crate for crate, _ in added[name]["plain"]} & set(unwanted)):
            yield f"{name} brings {crate}: `cargo tree -p pollscope -i {crate}` tells why"
    page = PAGE.read_text().splitlines()
    for line in lines:
        if line not in page:
            yield f"{PAGE.relative_to(ROOT)} lacks the line: {line}"


def main():
    added = measure()
    lines = list(table(added))
    print("\n".join(lines))
    wrong = list(complaints(added, lines)) if "--check" in sys.argv[1:] else []
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
