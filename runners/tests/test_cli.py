"""The command ``noob-runners``: what it prints and writes, its exit codes, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from io import BytesIO, TextIOWrapper
from itertools import islice
from pathlib import Path

import pytest
from noob import Node, SynchronousRunner

from noob_runners import registry
from noob_runners.command.cli import main
from noob_runners.command.interrupts import Interrupts
from noob_runners.multiprocess import MultiProcessRunner
from noob_runners.registry import RunnerEntry
from noob_runners.testing.spec import given as asked
from noob_runners.testing.spec import nested, node, tube

HERE = Path(__file__)
LIMIT_S = 60
COUNT = {"a": node("nodes.count"), "r": node("return", a="a.value")}
OURS: dict = {}


# --- nodes of this module, in this process by its name here, in others by its file's


def own(kind, *positional, module=__name__, **options):
    return {**node("nodes.count", *positional, **options), "type": f"{module}.{kind}"}


def there():
    return OURS["value"]


def speaks():
    print("a node speaks")
    os.write(1, b"and so does C\n")
    return 1


def slow(value, mark="", seconds=0.02):
    Path(mark).touch()
    time.sleep(seconds)
    return value


class Marked(Node):
    """Leaves a file when it is stopped."""

    mark: str

    def process(self):
        return 1

    def deinit(self):
        Path(self.mark).touch()


class Fails(Node):
    """Fails where it is told to."""

    at: str

    def init(self):
        self._reach("init")

    def process(self):
        self._reach("process")
        return 1

    def deinit(self):
        self._reach("deinit")

    def _reach(self, where):
        OURS.setdefault("reached", []).append(where)
        if where in self.at.split():
            raise LookupError(f"in {where}")


class Refuses:
    """A class that NOOB wraps."""

    def process(self, value):
        raise LookupError(f"{value}")


class Pooled(SynchronousRunner):
    """Says that it works in the way of a MultiProcessRunner: two epochs ahead."""

    def __init__(self, tube, max_workers=1, timeline=None):
        super().__init__(tube)
        self.max_workers = max_workers
        OURS.update(max_workers=max_workers, timeline=timeline, read=0, ended=False)

    def process_many(self, inputs):
        try:
            inputs = iter(inputs)
            ahead = []
            while True:
                for given_ in islice(inputs, 3 - len(ahead)):
                    ahead.append(given_)
                    OURS["read"] += 1
                if not ahead:
                    return
                yield self.process(**ahead.pop(0))
        finally:
            OURS["ended"] = True

    def stats(self):
        assert not self.running
        return "what it has cost"


def remote(tube_, **options):
    """A runner that sends away whatever may leave."""
    return MultiProcessRunner(tube_, placement="remote", **options)


def where(value):
    """Takes long enough to be sent away; says where it ran."""
    time.sleep(0.02)
    return [value, os.getpid()]


def dies(value):
    """Raises what a node does that takes too much of an iterator."""
    return value if value < 2 else next(iter(()))


# --- fixtures


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


def start(*arguments, command=None, **options):
    command = command or [sys.executable, "-m", "noob_runners"]
    return subprocess.Popen(
        [*command, "run", *arguments],
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONWARNINGS": "ignore"},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
    )


def await_file(path, process):
    deadline = time.monotonic() + LIMIT_S
    while not path.exists():
        assert process.poll() is None, process.communicate(timeout=LIMIT_S)
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- epochs and inputs


def test_each_epoch_that_returns_something_is_a_line(call, write, runner):
    path = write(a=node("nodes.sometimes"), r=node("return", a="a.value"))
    code, lines, err = call(path, "-n", 5, "--runner", runner)
    assert code == 0
    assert lines == [{"epoch": at, "value": {"a": at}} for at in (0, 2, 4)]
    assert "done: 5 epochs, 3 results in " in err
    assert "nodes/s; " + runner in err


def test_it_ends_when_the_tube_is_exhausted(call, write, runner):
    path = write(a=node("nodes.count", params={"limit": 3}), r=node("return", a="a.value"))
    code, lines, err = call(path, "--runner", runner)
    assert (code, [line["value"]["a"] for line in lines[:3]]) == (0, [0, 1, 2])
    assert "exhausted: " in err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-1", -1),
        ("(1, 'x')", [1, "x"]),
        ("None", None),
        ("true", True),
        ('{"a": null}', {"a": None}),
        ("some text", "some text"),
        ("NaN", "NaN"),
        ("[" * 9999, "[" * 9999),
        ("", ""),
    ],
)
def test_tube_inputs_are_literals_json_or_text(call, write, text, value):
    constant = node("nodes.constant", params={"value": "input.given"})
    path = write(
        inputs={"given": {"type": "any", "scope": "tube"}},
        a=constant,
        r=node("return", a="a.value"),
    )
    code, lines, _ = call(path, "-n", 1, "-i", "given", text)
    assert (code, lines) == (0, [{"epoch": 0, "value": {"a": value}}])


@pytest.fixture
def adder(write):
    return write(
        inputs={"x": asked("process")},
        a=node("nodes.add", left="input.x"),
        r=node("return", depends="a.value"),
    )


def test_process_inputs_are_json_lines(call, adder, tmp_path, monkeypatch, runner):
    given_ = b'{"x": 1}\n\n{"x": 2}\n{"x": 3}'
    (tmp_path / "in").write_bytes(given_)
    expected = [{"epoch": at, "value": 11 + at} for at in range(3)]
    assert call(adder, "--inputs", tmp_path / "in", "--runner", runner)[:2] == (0, expected)
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(given_)))
    assert call(adder, "--inputs", "-", "-n", 2)[:2] == (0, expected[:2])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line 2: this is not JSON"),
        (b'"\xff"', "line 2: this is not JSON"),
        (b"[1]", "line 2: not an object, but list"),
        (b"{}", "input of epoch 1: Requested input x"),
    ],
)
def test_bad_inputs_end_it_and_keep_what_came_before(call, adder, tmp_path, line, said):
    (tmp_path / "in").write_bytes(b'{"x": 1}\n' + line)
    code, lines, err = call(adder, "--inputs", tmp_path / "in")
    assert (code, len(lines)) == (2, 1)
    assert said in err
    assert "refused: 1 epochs, 1 results" in err


# --- wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--runner", "dask"],
            "unknown runner 'dask'; known runners: compiled, multiprocess, sync",
        ),
        (["--workers", "2"], "'compiled' takes no --workers; runners that do: multiprocess"),
        (["--timeline", "t"], "'compiled' takes no --timeline; runners that do: multiprocess"),
        (["--stats"], "'compiled' takes no --stats; runners that do: multiprocess"),
        (["-i", "y", "1"], "has no tube-scoped input 'y'; it has: none"),
        ([], "Requested input x not present in inputs at scope process; give it with --inputs"),
        (["--inputs", "absent"], "--inputs: [Errno 2] No such file"),
        (["--inputs", os.devnull, "-o", "no/such/folder"], "-o: [Errno 2] No such file"),
    ],
)
def test_wrong_usage_is_told(call, adder, arguments, said):
    code, lines, err = call(adder, *arguments)
    assert (code, lines) == (2, [])
    assert err.startswith("noob-runners: ")
    assert said in err


@pytest.mark.parametrize("number", ["0", "-3", "x"])
def test_counts_are_positive(adder, number, capfd):
    with pytest.raises(SystemExit, match="2"):
        main(["run", adder, "-n", number])
    assert "argument -n" in capfd.readouterr().err


@pytest.mark.parametrize("content", [None, "- a list", "nodes: {a: {type: no.such.node}}", "{"])
def test_a_bad_tube_is_told_and_no_file_touched(call, tmp_path, content):
    path, out = tmp_path / "bad.yaml", tmp_path / "out"
    if content is not None:
        path.write_text(content)
    out.write_text("kept")
    code, _, err = call(path, "-o", out, "--traceback")
    assert (code, out.read_text()) == (2, "kept")
    assert f"noob-runners: cannot load {path}: " in err
    assert "Traceback" in err


def test_an_unknown_id_is_told(call):
    code, _, err = call("no_such_tube")
    assert code == 2
    assert "cannot load no_such_tube: No config with id no_such_tube" in err


def test_results_do_not_overwrite_what_is_read(call, adder, tmp_path):
    inputs = tmp_path / "in"
    inputs.write_text('{"x": 1}')
    for file in (adder, inputs):
        before = file if isinstance(file, str) else str(file)
        content = Path(before).read_text()
        code, _, err = call(adder, "--inputs", inputs, "-o", file)
        assert (code, Path(before).read_text()) == (2, content)
        assert "which is read" in err


def test_a_timeline_does_not_overwrite_another_file(call, adder, pooled, tmp_path):
    (tmp_path / "in").write_text('{"x": 1}')
    for out, timeline in (("out", adder), ("out", "in"), ("out", "out")):
        given_ = ["--inputs", tmp_path / "in", "-o", tmp_path / out]
        code, _, err = call(adder, *given_, *pooled, "--timeline", tmp_path / timeline)
        assert code == 2
        assert f"which is {'written by -o' if timeline == out else 'read'}" in err
    assert not (tmp_path / "out").exists()


# --- runners


def test_a_registered_runner_gets_its_options(call, write, capfd):
    registry.register(
        RunnerEntry("few", f"{__name__}:Pooled", "of a test", {"workers": "max_workers"})
    )
    code, _, err = call(write(**COUNT), "-n", 1, "--runner", "few", "--workers", 3)
    assert (code, OURS["max_workers"], OURS["timeline"]) == (0, 3, None)
    assert err.endswith("; few, 3 workers\n")
    assert (
        "takes no --stats; runners that do: multiprocess"
        in call(write(**COUNT), "--runner", "few", "--stats")[2]
    )
    assert "runners that do: multiprocess, few" in call(write(**COUNT), "--workers", 3)[2]
    assert main(["list"]) == 0
    assert "few           of a test [--workers]\n" in capfd.readouterr().out


@pytest.fixture
def pooled():
    options = {"workers": "max_workers", "timeline": "timeline", "stats": None}
    registry.register(RunnerEntry("pooled", f"{__name__}:Pooled", "of a test", options))
    return ["--runner", "pooled"]


def test_help_says_which_runners_take_an_option(pooled, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit, match="0"):
        main(["run", "--help"])
    shown = capfd.readouterr().out
    for option in ("workers N", "timeline FILE", "stats"):
        assert "(for --runner multiprocess, pooled)" in shown.split(f"  --{option}  ")[1][:200]


def test_statistics_are_shown_at_the_end(call, write, pooled):
    path = write(**COUNT)
    assert "cost" not in call(path, "-n", 1, *pooled)[2]
    code, _, err = call(path, "-n", 1, *pooled, "--stats")
    assert code == 0
    assert err.splitlines()[-2:] == ["", "what it has cost"]
    failing = write(f=own("Fails", params={"at": "process"}))
    assert call(failing, "-n", 1, *pooled, "--stats")[2].endswith("what it has cost\n")


def test_a_timeline_is_the_runners_to_write(call, write, pooled, tmp_path):
    path, file = write(**COUNT), tmp_path / "timeline"
    assert call(path, "-n", 1, *pooled, "--timeline", file)[0] == 0
    assert OURS["timeline"] == str(file)
    absent = tmp_path / "no" / "timeline"
    code, _, err = call(path, "-n", 1, *pooled, "--timeline", absent)
    assert code == 2
    assert f"--timeline: [Errno 2] No such file or directory: '{absent}'" in err


# --- several epochs in flight


def test_epochs_are_driven_by_process_many(call, adder, pooled, tmp_path):
    (tmp_path / "in").write_text("".join(f'{{"x": {at}}}\n' for at in range(5)))
    code, lines, err = call(adder, "--inputs", tmp_path / "in", *pooled)
    assert (code, lines) == (0, [{"epoch": at, "value": 10 + at} for at in range(5)])
    assert "done: 5 epochs, 5 results in " in err
    assert (OURS["read"], OURS["ended"]) == (5, True)
    assert len(call(adder, "--inputs", tmp_path / "in", "-n", 2, *pooled)[1]) == 2
    assert OURS["read"] == 2


@pytest.mark.parametrize(
    "nodes",
    [
        {"a": node("nodes.count", params={"limit": 3}), "b": node("nodes.sieve", "a.value")},
        {"a": node("nodes.count"), "b": own("dies", "a.value")},
    ],
    ids=["of a generator", "by StopIteration"],
)
def test_exhaustion_is_the_same_either_way(call, write, pooled, monkeypatch, nodes):
    path = write(**nodes, r=node("return", b="b.value"))
    code, lines, err = call(path, "-n", 9, *pooled)
    ended = next(line for line in err.splitlines() if line.startswith("exhausted: "))
    monkeypatch.delattr(Pooled, "process_many")
    assert (code, lines) == call(path, "-n", 9, *pooled)[:2]
    assert code == 0
    assert ended.split(" in ")[0] in call(path, "-n", 9, *pooled)[2]


@pytest.mark.parametrize("line", ["{", "[1]", "{}"])
def test_results_come_before_the_input_that_ends_it(call, adder, pooled, tmp_path, line):
    (tmp_path / "in").write_text(f'{{"x": 1}}\n{{"x": 2}}\n{line}\n{{"x": 4}}')
    code, lines, err = call(adder, "--inputs", tmp_path / "in", *pooled)
    assert (code, [result["value"] for result in lines]) == (2, [11, 12])
    assert "line 3: " in err or "input of epoch 2: " in err
    assert "refused: 2 epochs, 2 results" in err
    assert OURS["ended"]


def test_a_node_that_fails_keeps_the_results_before_it(call, write, pooled):
    path = write(**COUNT, b=REFUSE)
    code, lines, err = call(path, "-n", 9, *pooled)
    assert (code, len(lines)) == (1, 2)
    assert "the tube failed in epoch 2: ValueError: refused 2" in err


def test_what_cannot_be_written_ends_all_epochs(call, write, pooled):
    OURS["value"] = 1j
    path = write(a=own("there"), r=node("return", a="a.value"))
    assert call(path, *pooled)[:2] == (1, [])
    assert OURS["ended"]


def test_a_result_does_not_wait_for_the_next_line_of_a_pipe(call, adder, pooled, monkeypatch):
    ours, theirs = os.pipe()
    written = []

    def answered(descriptor, line):
        """Whoever writes the inputs waits for the result of each."""
        written.append(json.loads(line)["value"])
        if len(written) < 3:
            os.write(theirs, b'{"x": %d}\n' % len(written))
        else:
            os.close(theirs)

    monkeypatch.setattr("noob_runners.command.cli.write_line", answered)
    os.write(theirs, b'{"x": 0}\n')
    with os.fdopen(ours, "rb") as pipe:
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(pipe))
        assert call(adder, "--inputs", "-", *pooled)[0] == 0
    assert written == [10, 11, 12]
    assert OURS["read"] == 0


def test_a_runner_that_is_not_installed_says_how_to_get_it(call, write, capfd):
    registry.register(RunnerEntry("far", "no_such_module:Far", "of a test", hint="pip install far"))
    code, _, err = call(write(**COUNT), "--runner", "far")
    assert code == 2
    assert "runner 'far' is not installed (No module named 'no_such_module')" in err
    assert "install it by: pip install far" in err
    assert main(["list"]) == 0
    assert "pip install far" in capfd.readouterr().out


# --- failures


@pytest.mark.parametrize(
    ("reached", "when"),
    [
        (["init"], "at its start"),
        (["init", "process"], "in epoch 0"),
        (["init", "process", "process", "deinit"], "at its end"),
    ],
)
def test_a_failure_is_told_and_the_tube_stopped(call, write, runner, reached, when):
    path = write(f=own("Fails", params={"at": reached[-1]}))
    code, _, err = call(path, "-n", 2, "--runner", runner)
    assert code == 1
    assert f"noob-runners: the tube failed {when}: LookupError: in {reached[-1]}\n" in err
    assert "Traceback" not in err
    assert OURS["reached"] == (reached if reached[-1] == "deinit" else [*reached, "deinit"])
    assert "Traceback" in call(path, "-n", 2, "--runner", runner, "--traceback")[2]


def test_both_failures_are_told(call, write):
    code, _, err = call(write(f=own("Fails", params={"at": "process deinit"})))
    assert code == 1
    assert err.index("in epoch 0: LookupError") < err.index("at its end: LookupError")


REFUSE = node("nodes.refuse", "a.value", params={"remainder": 2})


@pytest.mark.parametrize(
    "nodes",
    [
        {"b": REFUSE},
        {"b": REFUSE, "c": node("nodes.refuse", "a.value")},
        {"b": own("Refuses", "a.value")},
        {"b": node("nodes.async_refuse", "a.value", params={"remainder": 2})},
        {"b": node("nodes.breaks", params={"after": 2})},
        {"b": nested(tube(a=node("nodes.count"), b=REFUSE, r=node("return", b="b.value")))},
    ],
    ids=["function", "one of two", "class", "coroutine", "generator", "nested"],
)
def test_the_node_that_failed_is_named(call, write, nodes):
    code, lines, err = call(write(**COUNT, **nodes))
    assert code == 1
    assert f"noob-runners: the tube failed in epoch {len(lines)}: " in err
    assert f"in node 'b', epoch {len(lines)}" in err or "in node 'c'" in err


# --- values


def test_an_unwritable_value_ends_it(call, write, runner):
    OURS["value"] = [1j]
    path = write(a=own("there"), r=node("return", a="a.value"))
    code, lines, err = call(path, "-n", 2, "--runner", runner)
    assert (code, lines) == (1, [])
    assert "noob-runners: epoch 0: .value.a[0] is of type complex" in err
    assert call(path, "-n", 1, "--lossy")[1] == [{"epoch": 0, "value": {"a": ["1j"]}}]


def test_numbers_that_are_not_finite_are_counted(call, write):
    OURS["value"] = float("inf")
    path = write(a=own("there"), r=node("return", a="a.value"))
    code, lines, err = call(path, "-n", 2)
    assert (code, [line["value"] for line in lines]) == (0, [{"a": None}] * 2)
    assert "2 numbers that are not finite were written as null" in err


@pytest.mark.skipif(
    not Path("/dev/full").exists(),
    reason="this system has no /dev/full",
)
def test_a_full_disk_is_told(call, write):
    code, _, err = call(write(**COUNT), "-o", "/dev/full")
    assert code == 1
    assert "cannot write the results: [Errno 28]" in err


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
    module = HERE.stem
    path = write(
        **COUNT,
        s=own("slow", "a.value", module=module, params={"mark": str(begun)}),
        m=own("Marked", module=module, params={"mark": str(stopped)}),
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
    marked = own("Marked", module=HERE.stem, params={"mark": str(stopped)})
    with start(write(**COUNT, m=marked), "--runner", runner) as process:
        assert json.loads(process.stdout.readline()) == {"epoch": 0, "value": {"a": 0}}
        process.stdout.close()
        assert process.wait(timeout=LIMIT_S) == 0
        assert process.stderr.read() == ""
    assert stopped.exists()


def test_what_nodes_print_is_not_among_the_results(write):
    path = write(a=own("speaks", module=HERE.stem), r=node("return", a="a.value"))
    with start(path, "-n", "1") as process:
        out, err = process.communicate(timeout=LIMIT_S)
    assert out == '{"epoch": 0, "value": {"a": 1}}\n'
    assert "a node speaks" in err
    assert "and so does C" in err


@pytest.mark.parametrize("wanted", [True, False])
def test_a_terminal_shows_a_progress_bar(write, tmp_path, wanted):
    path = write(
        **COUNT, s=own("slow", "a.value", module=HERE.stem, params={"mark": str(tmp_path / "m")})
    )
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
    registry.register(RunnerEntry("remote", f"{__name__}:remote", "of a test", options))
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
    path = write(
        **{**COUNT, "r": node("return", w="w.value")}, w=own("where", "a.value", module=HERE.stem)
    )
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
