"""The suite from end to end on small graphs: what works, and everything that can go wrong."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from noob_perf import registry, suite
from noob_perf.results import Outcome, read

SMALL = ["--nodes", "60", "--width", "10", "--repeats", "2", "--timeout", "120"]


@pytest.fixture
def run_suite(tmp_path, capsys):
    """Run the suite in this process; gives the exit code, the results and what was printed."""

    def run(*arguments: str):
        file = tmp_path / "result.json"
        code = suite.main([*SMALL, "--json", str(file), *arguments])
        assert not psutil.Process().children(recursive=True)
        return code, read(file), capsys.readouterr()

    return run


def only(result, runner):
    (run,) = [run for run in result.runs if run.runner == runner]
    return run


def test_every_installed_runner_is_measured_and_checked(run_suite, tmp_path):
    page = tmp_path / "page.html"
    code, result, printed = run_suite("--runner", "all", "--html", str(page))
    assert code == 0
    assert {run.outcome for run in result.runs} == {Outcome.SUCCESS, Outcome.UNSUPPORTED}
    for run in result.runs:
        if run.outcome is Outcome.SUCCESS:
            assert run.validated
            assert len(run.epoch_s) == 2
            assert min(run.epoch_s) > 0
            assert run.load_s > 0
            assert run.us_per_node > 0
            assert run.peak_rss_bytes > 2**20
            assert run.runner in printed.out
    assert only(result, "sync").speedup_vs_sync == 1
    assert only(result, "loop").speedup_vs_sync > 0
    assert not only(result, "compiled-python").native
    assert not only(result, "loop").native
    assert result.workload.nodes == 60
    assert result.stock_load.measured_s > 0
    assert result.stock_load.extrapolated_s is None
    assert page.read_text().startswith("<!doctype html>")
    refused, measured = [run for run in result.runs if run.runner == "zmq"]
    assert (refused.outcome, refused.nodes) == (Outcome.UNSUPPORTED, 60)
    assert "one process a node" in refused.reason
    assert measured.nodes <= 16
    assert measured.speedup_vs_sync is None
    assert measured.workers >= measured.nodes


def test_a_runner_is_measured_once_however_often_it_is_named(run_suite):
    code, result, _ = run_suite("--runner", "loop", "--runner", "loop", "--epochs", "3")
    assert code == 0
    (run,) = result.runs
    assert run.epochs == 3
    assert run.speedup_vs_sync is None
    assert result.stock_load is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Crashing", "warming up: its process ended by exit code 7: about to fall over"),
        ("Segfaulting", "warming up: its process ended by SIGSEGV"),
        ("Raising", "loading: ZeroDivisionError: no such thing"),
        ("Wrong", "repeat 1 of 2: wrong result in epoch 1: {'digest': -1}, not {'digest': "),
        ("Short", "warming up: 0 results of 1 epochs"),
    ],
)
def test_what_fails_is_a_row_with_its_reason_and_the_others_go_on(
    misbehave, run_suite, name, reason
):
    misbehave(name)
    code, result, printed = run_suite("--runner", name, "--runner", "loop")
    assert code == 1
    run = only(result, name)
    assert run.outcome is Outcome.FAILURE
    assert run.reason.startswith(reason)
    assert not run.validated
    assert run.epoch_s == ()
    assert run.us_per_node is None
    assert only(result, "loop").outcome is Outcome.SUCCESS
    assert "failure" in printed.out


def test_nothing_measured_is_exit_code_3(misbehave, run_suite):
    misbehave("Raising")
    code, result, _ = run_suite("--runner", "Raising")
    assert code == 3
    assert only(result, "Raising").outcome is Outcome.FAILURE


def test_a_cell_that_hangs_is_ended_with_what_it_started(misbehave, run_suite, tmp_path):
    note = tmp_path / "note"
    misbehave("Hanging", env={"HANGING_NOTE": str(note)})
    code, result, _ = run_suite("--runner", "Hanging", "--runner", "loop", "--timeout", "15")
    assert code == 1
    run = only(result, "Hanging")
    assert run.outcome is Outcome.TIMEOUT
    assert run.reason == "warming up: no answer within its 15 s"
    assert only(result, "loop").outcome is Outcome.SUCCESS
    assert all(ended(int(pid)) for pid in note.read_text().split())


def test_a_runner_that_does_not_stop_is_measured_all_the_same(misbehave, run_suite):
    misbehave("Unstoppable")
    code, result, printed = run_suite("--runner", "Unstoppable")
    assert code == 0
    run = only(result, "Unstoppable")
    assert run.outcome is Outcome.SUCCESS
    assert "did not stop in good order: RuntimeError: will not" in run.reason
    assert "will not" in " ".join(printed.err.split())


def test_what_is_not_installed_is_a_row_of_all(misbehave, run_suite, monkeypatch):
    loop = registry.find("loop")
    registry._ENTRIES.clear()
    registry.register(loop)
    misbehave("Absent", requires=("no_such_module_at_all",), hint="pip install absent")
    code, result, printed = run_suite("--runner", "all")
    assert code == 0
    assert only(result, "Absent").outcome is Outcome.UNSUPPORTED
    assert "pip install absent" in only(result, "Absent").reason
    assert "pip install absent" in " ".join(printed.err.split())


STOPPED = """
import sys
from noob_perf import registry, suite
registry.register(registry.RunnerEntry("hanging", "misbehaving:{harness}", "a test"))
sys.exit(suite.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("harness", "number", "code"),
    [
        ("Hanging", signal.SIGINT, 3),
        ("HangingLater", signal.SIGINT, 1),
        ("HangingLater", signal.SIGTERM, 1),
    ],
)
def test_an_interrupt_leaves_no_process_and_keeps_what_was_measured(
    tmp_path, harness, number, code
):
    note, file, page = (tmp_path / name for name in ("note", "result.json", "page.html"))
    arguments = [*SMALL, "--runner", "hanging", "--json", str(file), "--html", str(page)]
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED.format(harness=harness), *arguments],
        env=environment(tmp_path, note),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert until(note.exists, 90), "the harness did not get to its epoch"
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == code, output
    assert until(lambda: all(ended(int(pid)) for pid in note.read_text().split()), 30)
    result = read(file)
    assert result.interrupted
    run = only(result, "hanging")
    assert len(run.epoch_s) == (1 if harness == "HangingLater" else 0)
    assert "interrupted" in run.reason
    assert "interrupted" in page.read_text()
    assert not list(tmp_path.glob("noob-*"))


def test_a_suite_that_is_killed_takes_its_cells_along(tmp_path):
    note = tmp_path / "note"
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED.format(harness="Hanging"), *SMALL, "--runner", "hanging"],
        env=environment(tmp_path, note),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert until(note.exists, 90), "the harness did not get to its epoch"
    finally:
        process.kill()
        process.wait()
    assert until(lambda: all(ended(int(pid)) for pid in note.read_text().split()), 30)


def test_the_json_is_plain(run_suite, tmp_path):
    run_suite("--runner", "loop")
    text = (tmp_path / "result.json").read_text()
    assert json.loads(text)["schema_version"] == 1
    assert str(tmp_path) not in text
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_written_costs_neither_the_table_nor_the_other_file(tmp_path, capsys):
    gone, page = tmp_path / "gone", tmp_path / "page.html"
    gone.mkdir()
    arguments = [*SMALL, "--runner", "loop", "--json", str(gone / "x.json"), "--html", str(page)]
    parser = argparse.ArgumentParser()
    suite.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    gone.rmdir()
    assert suite.run(parsed, parser) == 1
    printed = capsys.readouterr()
    assert "not written:" in printed.err
    assert "loop" in printed.out
    assert page.exists()


def test_a_link_and_a_pipe_stay_what_they_are(tmp_path):
    target, link, pipe = (tmp_path / name for name in ("target", "link", "pipe"))
    link.symlink_to(target)
    os.mkfifo(pipe)
    reader = subprocess.Popen([sys.executable, "-c", READ, str(pipe)], stdout=subprocess.PIPE)
    try:
        arguments = [*SMALL, "--runner", "loop", "--json", str(link), "--html", str(pipe)]
        assert suite.main(arguments) == 0
        page, _ = reader.communicate(timeout=30)
    finally:
        reader.kill()
        reader.communicate()
    assert link.is_symlink()
    assert read(target).runs
    assert pipe.is_fifo()
    assert page.startswith(b"<!doctype html>")


READ = "import pathlib, sys; sys.stdout.buffer.write(pathlib.Path(sys.argv[1]).read_bytes())"


def test_a_terminal_without_micro_still_gets_its_table():
    asked = [sys.executable, "-m", "noob_perf.suite", *SMALL, "--runner", "loop"]
    done = subprocess.run(
        asked,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "?s a node" in done.stdout


def environment(folder: Path, note: Path) -> dict[str, str]:
    """That of a suite in a process of its own; its temporary files go into the test's folder."""
    return os.environ | {
        "HANGING_NOTE": str(note),
        "PYTHONPATH": str(Path(__file__).parent),
        "TMPDIR": str(folder),
    }


def ended(pid: int) -> bool:
    """Whether a process is gone, or is only waiting to be reaped by whoever inherited it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(condition, seconds: float) -> bool:
    """Wait until a condition holds, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
