"""The suite's arguments: what is refused, with which words and which exit code; nothing is run."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys

import pytest

from noob_perf import cli, suite


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runner", "warp"], "unknown runner 'warp'; known runners: sync, async, zmq"),
        (["--pattern", "spiral"], "unknown pattern 'spiral'"),
        (["--kernel", "sleep"], "unknown kernel 'sleep'"),
        (["--nodes", "0"], "nodes must be"),
        (["--nodes", "-5"], "nodes must be"),
        (["--width", "0"], "width must be"),
        (["--fan-in", "0"], "fan_in must be"),
        (["--duration", "-1"], "duration must be"),
        (["--imbalance", "3"], "imbalance must be"),
        (["--output-bytes", "1"], "output_bytes must be"),
        (["--pattern", "wfformat", "--source", "no-such-file"], "no-such-file"),
        (["--pattern", "wfformat"], "source"),
        (["--nodes", "many"], "argument --nodes"),
        (["--epochs", "0"], "argument --epochs: must be a whole number of at least 1, not '0'"),
        (["--repeats", "-1"], "argument --repeats: must be a whole number of at least 1"),
        (
            ["--workers", "few"],
            "argument --workers: must be a whole number of at least 1, not 'few'",
        ),
        (["--timeout", "0"], "argument --timeout: must be a number, more than 0"),
        (["--timeout", "inf"], "argument --timeout: must be a number, more than 0 and finite"),
        (["--timeout", "nan"], "not 'nan'"),
        (["--timeout", "long"], "not 'long'"),
        (["--json", "x", "--html", "./x"], "--json and --html are the same file, 'x'"),
        (["--json", "no/such/folder/x.json"], "'no/such/folder/x.json' is not a file in a folder"),
        (["--html", "."], "'.' is not a file in a folder"),
        (["--no-such-option"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_names_the_culprit(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        suite.main(arguments)
    assert caught.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("denied", ["file", "folder"])
def test_a_file_that_may_not_be_written_is_refused_before_anything_runs(
    denied, tmp_path, monkeypatch, capsys
):
    file = tmp_path / "x.json"
    file.touch()
    forbidden = file if denied == "file" else tmp_path
    monkeypatch.setattr(os, "access", lambda place, _mode: place != forbidden)
    with pytest.raises(SystemExit) as caught:
        suite.main(["--json", str(file)])
    assert caught.value.code == 2
    assert "may not be written" in capsys.readouterr().err


def test_an_interrupt_while_the_graph_is_built_is_nothing_measured(monkeypatch, capsys):
    def interrupt(_arguments):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(suite, "_plan", interrupt)
    before = signal.getsignal(signal.SIGINT)
    assert suite.main([]) == 3
    assert "interrupted before anything was measured" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_naming_what_is_not_installed_says_how_to_get_it(misbehave, capsys):
    misbehave("Absent", requires=("no_such_module_at_all",), hint="pip install absent")
    with pytest.raises(SystemExit) as caught:
        suite.main(["--runner", "Absent"])
    assert caught.value.code == 2
    assert "pip install absent" in capsys.readouterr().err


def test_the_list_has_runners_patterns_kernels_and_hints(misbehave, capsys):
    misbehave("Absent", requires=("no_such_module_at_all",), hint="pip install absent")
    assert suite.main(["--list"]) == 0
    listed = capsys.readouterr().out
    for name in ("sync-indexed", "compiled-python", "stencil_1d", "random_layered", "payload"):
        assert name in listed
    assert "no_such_module_at_all is missing): pip install absent" in listed


def test_the_command_repeats_every_option(capsys):
    parser = argparse.ArgumentParser()
    suite.add_arguments(parser)
    arguments = parser.parse_args(["--runner", "loop", "--nodes", "77", "--json", "x.json"])
    command = suite._command(arguments).split()
    assert command[:3] == ["python", "-m", "noob_perf.suite"]
    again = parser.parse_args(command[3:])
    arguments.json = None
    assert again == arguments


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["suite", "--help"], ["parallel", "--help"], ["dance"]]
)
def test_the_command_line_explains_itself(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == (0 if "--help" in arguments else 2)
    printed = capsys.readouterr()
    assert "usage: noob-perf" in printed.out + printed.err
    assert any(name in printed.out + printed.err for name in ("suite", "parallel"))


def test_the_modules_run_as_commands():
    for module in ("noob_perf", "noob_perf.suite", "noob_perf.parallel"):
        asked = [sys.executable, "-m", module, "--help"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert "usage:" in done.stdout
