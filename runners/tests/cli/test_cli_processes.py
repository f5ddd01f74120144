"""The command ``noob-runners``: signals, pipes, terminals, and runs in several processes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from noob_runners import registry
from noob_runners.command.interrupts import Interrupts
from noob_runners.registry import RunnerEntry
from noob_runners.testing.spec import node

sys.path.append(str(Path(__file__).parent))
from cli_help import COUNT, LIMIT_S, await_file, own, start

# --- signals, pipes, terminals


def held(*numbers):
    """What is reached when these signals come in a held block."""
    steps = []
    with Interrupts() as interrupts:
        try:
            with interrupts.held():
                for number in numbers:
                    os.kill(os.getpid(), number)
                    steps.append(number)
            steps.append("after")
        except KeyboardInterrupt:
            steps.append(interrupts.exit_code)
    return steps


def test_a_signal_waits_for_the_block_and_a_second_does_not():
    assert held() == ["after"]
    assert held(signal.SIGTERM) == [signal.SIGTERM, 143]
    assert held(signal.SIGTERM, signal.SIGINT) == [signal.SIGTERM, 130]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_whole_lines(write, tmp_path, runner, number, code):
    begun, stopped, out = (tmp_path / name for name in ("begun", "stopped", "out"))
    path = write(
        **COUNT,
        s=own("slow", "a.value", params={"mark": str(begun)}),
        m=own("Marked", params={"mark": str(stopped)}),
    )
    with start(path, "--runner", runner, "-o", str(out)) as process:
        await_file(begun, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == code
    assert "interrupted: " in err
    assert "Traceback" not in err
    assert stopped.exists()
    text = out.read_text()
    assert text == "" or text.endswith("\n")
    assert [json.loads(line)["epoch"] for line in text.splitlines()] == list(
        range(text.count("\n"))
    )


def test_a_signal_ends_waiting_for_input(adder):
    with start(adder, "--inputs", "-", stdin=subprocess.PIPE) as process:
        process.stdin.write('{"x": 1}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"epoch": 0, "value": 11}
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "interrupted: 1 epochs, 1 results" in err


def test_a_closed_pipe_ends_it_quietly(write, tmp_path, runner):
    stopped = tmp_path / "stopped"
    marked = own("Marked", params={"mark": str(stopped)})
    with start(write(**COUNT, m=marked), "--runner", runner) as process:
        assert json.loads(process.stdout.readline()) == {"epoch": 0, "value": {"a": 0}}
        process.stdout.close()
        assert process.wait(timeout=LIMIT_S) == 0
        assert process.stderr.read() == ""
    assert stopped.exists()


def test_what_nodes_print_is_not_among_the_results(write):
    path = write(a=own("speaks"), r=node("return", a="a.value"))
    with start(path, "-n", "1") as process:
        out, err = process.communicate(timeout=LIMIT_S)
    assert out == '{"epoch": 0, "value": {"a": 1}}\n'
    assert "a node speaks" in err
    assert "and so does C" in err


@pytest.mark.parametrize("wanted", [True, False])
def test_a_terminal_shows_a_progress_bar(write, tmp_path, wanted):
    path = write(**COUNT, s=own("slow", "a.value", params={"mark": str(tmp_path / "m")}))
    ours, theirs = pty.openpty()
    options = [] if wanted else ["--no-progress"]
    arguments = [path, "-n", "20", "-o", os.devnull, *options]
    with start(*arguments, stdout=subprocess.DEVNULL, stderr=theirs, text=False) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # so a terminal ends on Linux
            pass
        assert process.wait(timeout=LIMIT_S) == 0
    os.close(ours)
    assert (b"/20" in shown) is wanted
    assert b"done: " in shown


# --- several processes


@pytest.fixture
def sent():
    options = {"workers": "max_workers", "timeline": "timeline", "stats": None}
    registry.register(RunnerEntry("remote", "cli_help:remote", "of a test", options))
    return ["--runner", "remote", "--workers", 2]


@pytest.mark.parametrize(
    "nodes",
    [
        {"a": node("nodes.count", params={"limit": 7}), "b": node("nodes.add", left="a.value")},
        {"a": node("nodes.count"), "b": node("nodes.sieve", "a.value")},
        {"a": node("nodes.count"), "b": node("nodes.refuse", "a.value", params={"remainder": 3})},
    ],
    ids=["exhausted", "silent", "failed"],
)
def test_several_processes_do_what_one_does(call, write, sent, nodes):
    path = write(
        **nodes,
        c=node("nodes.mix", "b.value"),
        d=node("nodes.split", "c.value"),
        r=node("return", low="d.low", high="d.high"),
    )
    code, lines, err = call(path, "-n", 12, "--runner", "sync")
    told = err.split(" in ")[0]
    for runner in (sent, ["--runner", "multiprocess", "--workers", 2]):
        code_, lines_, err_ = call(path, "-n", 12, *runner)
        assert (code_, lines_) == (code, lines)
        assert told in err_
        assert "2 workers" in err_


@pytest.mark.parametrize("line", ["{", "{}"])
def test_several_processes_keep_the_results_before_a_bad_input(call, adder, sent, tmp_path, line):
    (tmp_path / "in").write_text(f'{{"x": 1}}\n{{"x": 2}}\n{line}\n{{"x": 4}}')
    code, lines, err = call(adder, "--inputs", tmp_path / "in", *sent)
    assert (code, [result["value"] for result in lines]) == (2, [11, 12])
    assert "line 3: " in err or "input of epoch 2: " in err


def test_statistics_and_timeline_of_several_processes(call, write, sent, tmp_path):
    path = write(
        a=node("nodes.count"), b=node("nodes.mix", "a.value"), r=node("return", b="b.value")
    )
    timeline = tmp_path / "timeline"
    code, _, err = call(path, "-n", 5, *sent, "--stats", "--timeline", timeline)
    assert code == 0
    words = [line.split() for line in err.splitlines()]
    assert ["b", "5", "5"] in [row[:3] for row in words]
    assert [row[0] for row in words[-3:]] == ["worker", "0", "1"]
    events = json.loads(timeline.read_text())
    shown = [event["args"]["name"] for event in events if event["name"] == "thread_name"]
    assert {"coordinator", "critical path"} < set(shown)
    assert sum(name.startswith("worker ") for name in shown) in (1, 2)


SCRIPT = """\
import sys
from noob_runners.command import main
if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.mark.parametrize("script", [True, False], ids=["script", "module"])
def test_workers_are_spawned_and_ended(write, tmp_path, script):
    """However the command was started, its workers start; a signal ends them with it."""
    path = write(**{**COUNT, "r": node("return", w="w.value")}, w=own("where", "a.value"))
    (tmp_path / "noob-runners").write_text(SCRIPT)  # as installers make it: without a suffix
    command = [sys.executable, str(tmp_path / "noob-runners")] if script else None
    arguments = [path, "--runner", "multiprocess", "--workers", "2", "--stats"]
    with start(*arguments, command=command) as process:
        deadline = time.monotonic() + LIMIT_S
        for at, line in enumerate(process.stdout):
            value, pid = json.loads(line)["value"]["w"]
            assert value == at
            assert time.monotonic() < deadline
            if pid != process.pid:
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1].split()[0] == "1"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
