#!/usr/bin/env python3
"""Writes the pinned versions: constraints.txt for pip, and the same list in pyproject.toml for uv.

uv takes the constraints of a project from its pyproject.toml alone, and pip from a file alone, so
both hold the list and a test compares them. Run it after a change of dependencies, which keeps the
other pins as they are, or with `--upgrade` to move every pin to the newest version that fits.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = ROOT / "pyproject.toml"
CONSTRAINTS = ROOT / "constraints.txt"
HEADER = """\
# The versions that the project is built and tested with, for every supported Python.
# Written by `python3 .ci/pin.py` (with --upgrade: newest versions); the same list is in
# pyproject.toml. Use: python3 -m pip install -c constraints.txt ...
"""
PINS_TABLE = re.compile(r"^constraint-dependencies = \[\n(.*?)^\]\n", re.MULTILINE | re.DOTALL)


def with_pins(pyproject: str, pins: list[str]) -> str:
    """The text of pyproject.toml with its list of pins replaced."""
    table = "constraint-dependencies = [\n" + "".join(f'    "{pin}",\n' for pin in pins) + "]\n"
    replaced, count = PINS_TABLE.subn(lambda _: table, pyproject)
    if count != 1:
        message = f"{PYPROJECT.name} holds {count} lists of constraint-dependencies, not one"
        raise SystemExit(message)
    return replaced


def uv(*arguments: str) -> str:
    """What uv prints; its progress and its errors go to the terminal."""
    command = ["uv", *arguments]
    done = subprocess.run(  # noqa: S603 (the arguments are those written in this file)
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def resolve(*, upgrade: bool) -> list[str]:
    """One `name==version` a package, with a marker where the version depends on the Python."""
    uv("lock", *(["--upgrade"] if upgrade else []))
    everything = ("--all-packages", "--all-extras", "--all-groups", "--no-emit-workspace")
    versions_only = ("--no-hashes", "--no-annotate", "--no-header")
    lines = uv("export", "--locked", "--quiet", *everything, *versions_only).splitlines()
    versions = Counter(line.partition("==")[0] for line in lines)
    # The marker of a package with one version says only where it is needed, which is not a
    # constraint's business; among several versions the marker says which one is meant.
    return [line if versions[line.partition("==")[0]] > 1 else line.split()[0] for line in lines]


def main() -> None:
    """Resolve, then write both lists, or leave both as they were when that fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="move every pin to the newest")
    upgrade = parser.parse_args().upgrade
    before = PYPROJECT.read_text(encoding="utf-8")
    after = before
    try:
        if upgrade:
            PYPROJECT.write_text(with_pins(before, []), encoding="utf-8")
        pins = resolve(upgrade=upgrade)
        after = with_pins(before, pins)
    finally:
        PYPROJECT.write_text(after, encoding="utf-8")
    CONSTRAINTS.write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
