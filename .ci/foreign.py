#!/usr/bin/env python3
"""The manual's page on CI, word for word, in an empty repository of other people: `.ci/foreign.py PATH/TO/pollscope`.

Reads `tui/manual/ci.md` and runs what it tells people to type, block by block, in a new folder that holds nothing but
this checkout under the name `pollscope`, as a submodule would: commands, the `run:` and `script:` lines of the jobs,
and the files whose names stand before their text. Each command has to end with 0. No network: crates come from what
cargo has already. What cannot be had here is left out, and said in a line `left out: …` each.

The foreign repository's builds share one folder below CARGO_TARGET_DIR, without optimisation, so that they are quick.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "tui" / "manual" / "ci.md"
# The section that makes the repository: the others need it.
FIRST = "From an empty repository"
LONGEST = 1_800
# What the page promises to be there, by a part of the command that makes it.
MAKES = {
    "sarif=pollscope.sarif": ["pollscope.sarif", "pollscope.md"],
    "junit=pollscope.xml": ["pollscope.xml"],
    "baseline save": ["pollscope-baseline.toml"],
    "--keep target/pollscope": ["target/pollscope"],
}
LEFT_OUT = {
    "cargo install": "compiles the terminal program, which this was started with",
    "pollscope open": "needs a terminal, and a recording of that name",
    "gh ": "needs GitHub",
}


def sections(text):
    """The page's sections: title, and blocks as language, text and what stands before it."""
    found = []
    for part in re.split(r"^## ", "## \n" + text, flags=re.M)[1:]:
        title, _, body = part.partition("\n")
        pieces = body.split("```")
        blocks = []
        for before, block in zip(pieces[::2], pieces[1::2]):
            language, _, content = block.partition("\n")
            blocks.append((language, content, before.strip().splitlines()[-1:]))
        found.append((title, blocks))
    return sorted(found, key=lambda section: section[0] != FIRST)


def commands(language, content):
    """What people, or a runner, would type."""
    if language == "sh":
        return content.strip().splitlines()
    lines, in_script = [], False
    for line in content.splitlines():
        word = line.strip()
        in_script = word == "script:" or in_script and word.startswith("- ")
        if word.startswith("run: "):
            lines.append(word.removeprefix("run: "))
        elif in_script and word.startswith("- "):
            lines.append(word.removeprefix("- "))
    return lines


class Repository:
    def __init__(self, folder, program, target):
        self.folder = folder
        (folder / "pollscope").symlink_to(ROOT)
        self.environment = {
            name: value
            for name, value in os.environ.items()
            # What a runner or another build says is not the foreign repository's.
            if not name.startswith(("POLLSCOPE", "GITHUB_", "CI", "CARGO", "RUST"))
        }
        self.environment |= {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "CARGO_HOME": os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo")),
            "CARGO_NET_OFFLINE": "true",
            "CARGO_INCREMENTAL": "0",
            "CARGO_TARGET_DIR": str(target),
            "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
            "XDG_RUNTIME_DIR": str(folder),
        }
        if "RUSTUP_HOME" in os.environ:
            self.environment["RUSTUP_HOME"] = os.environ["RUSTUP_HOME"]
        self.ran = 0

    def run(self, command):
        """What it said; it has to work."""
        for start, why in LEFT_OUT.items():
            if command.startswith(start):
                return print(f"left out: `{command}`: {why}")
        if "nextest" in command and not shutil.which("cargo-nextest"):
            return print(f"left out: `{command}`: cargo-nextest is not installed")
        print(f"$ {command}", flush=True)
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
        )
        if done.returncode != 0:
            raise SystemExit(f"{done.stdout}\n`{command}` ended with {done.returncode}; the page promises that it works")
        for part, files in MAKES.items():
            for name in files if part in command else []:
                if not (self.folder / name).exists():
                    raise SystemExit(f"`{command}` made no {name}")
        self.ran += 1
        if command.startswith("cargo init"):
            # The versions that cargo has here.
            shutil.copy(ROOT / "Cargo.lock", self.folder)
        return done.stdout

    def write(self, language, content, before):
        """A file, where its name stands before it; else a part of one that is there."""
        named = re.findall(r"`([\w/.-]+\.\w+)`:$", before[0]) if before else []
        if named:
            path = self.folder / named[-1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        elif language == "rust" and "fn " in content:
            with (self.folder / "tests" / "cart.rs").open("a") as file:
                file.write(content)
        elif language == "rust":
            with (self.folder / "src" / "lib.rs").open("a") as file:
                file.write(f"pub fn load() -> std::io::Result<Vec<u8>> {{\n{content}Ok(config)\n}}\n")
        else:
            raise SystemExit(f"a block of {language} that this does not know:\n{content}")


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "foreign"
    with tempfile.TemporaryDirectory(prefix="foreign-") as folder:
        repository = Repository(pathlib.Path(folder), program, target)
        for title, blocks in sections(PAGE.read_text()):
            print(f"== {title or 'the page'}", flush=True)
            for language, content, before in blocks:
                if language in ("sh", "yaml"):
                    for command in commands(language, content):
                        repository.run(command)
                else:
                    repository.write(language, content, before)
            if title == FIRST:
                said = repository.run("pollscope check -- cargo test --release")
                if "CLEAN" not in said or "1 test judged itself: passed" not in said:
                    raise SystemExit(f"{said}\nthe page promises CLEAN, and the tests that judged themselves")
        # With all that the page had people write.
        repository.run("pollscope check -- cargo test --release")
        if repository.ran < 15:
            raise SystemExit(f"only {repository.ran} commands were found in {PAGE}")
        print(f"{repository.ran} commands of {PAGE.relative_to(ROOT)} work as they stand there")


main()
