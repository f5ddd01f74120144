"""FastScheduler without Python: an epoch inside Rust, by the clock and in instructions.

The crate's example ``scheduler_epoch`` runs as many epochs of a graph as it is asked for. A run of
many less a run of one is what epochs take, without starting and making the graph. Callgrind counts
instructions, which unlike a time are the same on a busy machine.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from noob_perf.errors import UnsupportedError
from noob_perf.results import Outcome, Quantity, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from noob_perf.experiments.components.bench import Bench

CORE = "native, inside Rust"
DECISIONS = "an epoch"
INSTRUCTIONS = "an epoch, instructions"

_EXAMPLE = "scheduler_epoch"
_COUNTED_EPOCHS = 10
"""Beyond the first, under callgrind."""
_CLOCKED_NODES = 2_000_000
"""As many epochs are clocked as make about so many nodes in all: some tenths of a second."""
_REPEATS = 7
_BUILD_S, _RUN_S = 600.0, 120.0
"""How long building and a run may take."""


def measure_core(bench: Bench, case: str, sizes: Sequence[int]) -> None:
    """Measure the core on graphs of these sizes; add its rows to the bench's."""
    bench.observer.stage(f"{CORE}: building its example")
    try:
        program = _build()
    except UnsupportedError as error:
        bench.observer.ended(CORE, Outcome.UNSUPPORTED, str(error))
        for nodes in sizes:
            bench.timings.append(
                Timing(CORE, "", case, nodes, Quantity.SECONDS, Outcome.UNSUPPORTED, str(error), ())
            )
        return
    for nodes in sizes:
        bench.observer.stage(f"{CORE}: {nodes:,} nodes")
        clocked = _outcome(partial(_clocked, program, nodes))
        counted = _outcome(partial(_counted, program, nodes))
        for operation, quantity, (outcome, reason, values) in (
            (DECISIONS, Quantity.SECONDS, clocked),
            (INSTRUCTIONS, Quantity.COUNT, counted),
        ):
            if reason:
                bench.observer.ended(f"{CORE}, {operation}", outcome, reason)
            bench.timings.append(
                Timing(CORE, operation, case, nodes, quantity, outcome, reason, values)
            )


def _outcome(measure: Callable[[], list[float]]) -> tuple[Outcome, str, tuple[float, ...]]:
    try:
        return Outcome.SUCCESS, "", tuple(measure())
    except UnsupportedError as error:
        return Outcome.UNSUPPORTED, str(error), ()
    except subprocess.TimeoutExpired as error:
        return Outcome.TIMEOUT, f"no answer within its {error.timeout:g} s", ()
    except (OSError, ValueError) as error:
        return Outcome.FAILURE, str(error), ()


def _build() -> Path:
    """Build the example for release and return its program."""
    crate = _crate()
    cargo = shutil.which("cargo")
    if cargo is None:
        raise UnsupportedError("cargo, which builds it, is not installed")
    command = [cargo, "build", "--release", "--locked", "--message-format=json"]
    try:
        done = subprocess.run(  # noqa: S603 - our own sources
            [*command, "--example", _EXAMPLE],
            cwd=crate, capture_output=True, text=True, check=False, timeout=_BUILD_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UnsupportedError(f"cargo has not built it within {_BUILD_S:g} s") from None
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.startswith("error")]
        raise UnsupportedError(f"cargo could not build it: {' '.join(last[:1])}")
    made = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    programs = [one["executable"] for one in made if one.get("executable")]
    if not programs:
        raise UnsupportedError(f"cargo has built no program of the example {_EXAMPLE}")
    return Path(programs[-1])


def _crate() -> Path:
    """Find the crate's folder, which is at hand where noob_fast was installed from it."""
    found = find_spec("noob_fast")
    if found is None or found.origin is None:
        raise UnsupportedError("noob_fast is not installed")
    folder = Path(found.origin).resolve().parents[2]
    if not (folder / "Cargo.toml").is_file():
        raise UnsupportedError("the sources of noob_fast are not at hand")
    if not (folder / "examples" / f"{_EXAMPLE}.rs").is_file():
        raise UnsupportedError(f"noob_fast has no example {_EXAMPLE}")
    return folder


def _clocked(program: Path, nodes: int) -> list[float]:
    """Time an epoch, a few times."""
    epochs = max(1, _CLOCKED_NODES // nodes)

    def seconds(count: int) -> float:
        start = perf_counter()
        _run([str(program), str(nodes), str(count)])
        return perf_counter() - start

    return [(seconds(1 + epochs) - seconds(1)) / epochs for _ in range(_REPEATS)]


def _counted(program: Path, nodes: int) -> list[float]:
    """Count the instructions of an epoch, once: they are always the same."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise UnsupportedError("valgrind, which counts them, is not installed")
    counts = []
    with tempfile.TemporaryDirectory(prefix="noob-") as folder:
        output = Path(folder) / "callgrind.out"
        for epochs in (1 + _COUNTED_EPOCHS, 1):
            tool = [valgrind, "--tool=callgrind", f"--callgrind-out-file={output}"]
            _run([*tool, str(program), str(nodes), str(epochs)])
            counts.append(_total(output.read_text(errors="replace")))
    return [(counts[0] - counts[1]) / _COUNTED_EPOCHS]


def _total(text: str) -> int:
    found = re.search(r"^(?:summary|totals):\s*(\d+)", text, re.MULTILINE)
    if found is None:
        raise ValueError("callgrind has written no total")
    return int(found.group(1))


def _run(command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own program, or valgrind with it
        command, capture_output=True, text=True, check=False, timeout=_RUN_S
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it wrote nothing"]
        raise ValueError(f"exit code {done.returncode}: {last[0]}")
