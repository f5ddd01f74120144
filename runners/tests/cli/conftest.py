"""Fixtures of the tests of the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from noob_runners import registry
from noob_runners.command.cli import main
from noob_runners.registry import RunnerEntry
from noob_runners.testing.spec import given as asked
from noob_runners.testing.spec import node, tube

sys.path.append(str(Path(__file__).parent))
from cli_help import OURS


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    OURS.clear()


@pytest.fixture(params=["compiled", "sync"])
def runner(request):
    return request.param


@pytest.fixture
def write(tmp_path):
    def written(**parts):
        path = tmp_path / "tube.yaml"
        path.write_text(json.dumps(tube(**parts)))
        return str(path)

    return written


@pytest.fixture
def call(capfd):
    """Runs the command in this process: exit code, the lines' objects, and standard error."""

    def called(*arguments):
        capfd.readouterr()
        code = main(["run", *map(str, arguments)])
        out, err = capfd.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return called


@pytest.fixture
def pooled():
    options = {"workers": "max_workers", "timeline": "timeline", "stats": None}
    registry.register(RunnerEntry("pooled", "cli_help:Pooled", "of a test", options))
    return ["--runner", "pooled"]


@pytest.fixture
def adder(write):
    return write(
        inputs={"x": asked("process")},
        a=node("nodes.add", left="input.x"),
        r=node("return", depends="a.value"),
    )
