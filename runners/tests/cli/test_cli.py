"""The command ``noob-runners``: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json
import os
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from noob_runners import registry
from noob_runners.command.cli import main
from noob_runners.registry import RunnerEntry
from noob_runners.testing.spec import nested, node, tube

sys.path.append(str(Path(__file__).parent))
from cli_help import COUNT, OURS, Pooled, own

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
        RunnerEntry("few", "cli_help:Pooled", "of a test", {"workers": "max_workers"})
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
