"""The command ``noob-runners``: runs a tube for people who do not write Python.

Results are JSON lines on standard output or in a file. All else (progress, summary, errors, what
nodes print) goes to standard error.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
import traceback
import warnings
from contextlib import ExitStack
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noob.exceptions import ExtraInputWarning, InputMissingError, RunnerError
from noob.input import InputScope
from rich.console import Console

from noob_runners import registry
from noob_runners.command.display import Display, summary
from noob_runners.command.interrupts import Interrupts
from noob_runners.command.output import Encoder, stdout_claimed, write_line
from noob_runners.command.session import Refusal, Session
from noob_runners.tube import IndexedTube

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["main"]

_DESCRIPTION = """\
Run a tube. Each epoch that returns something becomes one line of JSON: {"epoch": 0, "value": ...}.
Epochs are counted from 0. Without -n and --inputs it runs until the tube is exhausted, or Ctrl-C.
"""
_EPILOG = """\
exit codes: 0 done; 1 a node failed, or its value cannot be written; 2 wrong usage, tube or input;
130 Ctrl-C (143 SIGTERM). Numbers that are not finite are written as null, bytes as
{"base64": "..."}.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        argv: the arguments; by default those of the process.

    Raises:
        SystemExit: the arguments do not make sense (2), or help was asked for (0).
    """
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    return command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="noob-runners", description="Run NOOB tubes.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="list the runners")
    listing.set_defaults(command=_list)
    run = commands.add_parser(
        "run",
        help="run a tube",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.set_defaults(command=_run)
    run.add_argument("tube", metavar="TUBE", help="a YAML file, or the id of a tube NOOB knows")
    run.add_argument(
        "--runner",
        metavar="NAME",
        default=registry.DEFAULT,
        help=f"one of: {', '.join(registry.names())} (default: %(default)s)",
    )
    run.add_argument("-n", type=_positive, metavar="N", help="the number of epochs")
    run.add_argument(
        "--workers", type=_positive, metavar="N", help="worker processes, for runners that have any"
    )
    run.add_argument(
        "-i",
        "--input",
        nargs=2,
        action="append",
        default=[],
        metavar=("KEY", "VALUE"),
        help="a tube-scoped input, a Python literal or JSON, or else text; may be repeated",
    )
    run.add_argument(
        "--inputs",
        metavar="FILE",
        help="process-scoped inputs, one JSON object a line and epoch; - is standard input",
    )
    run.add_argument(
        "-o", "--output", metavar="FILE", default="-", help="where results go; - is standard output"
    )
    run.add_argument(
        "--lossy", action="store_true", help="write values that JSON cannot express as their repr"
    )
    run.add_argument("--no-progress", action="store_true", help="show no progress bar")
    run.add_argument("--traceback", action="store_true", help="show where errors come from")
    return parser


def _list(_arguments: argparse.Namespace) -> int:
    width = max(map(len, registry.names()))
    for name in registry.names():
        entry = registry.find(name)
        options = "".join(f" [--{option}]" for option in entry.options)
        default = " (default)" if name == registry.DEFAULT else ""
        try:
            entry.load()
            missing = ""
        except registry.RunnerNotInstalledError as error:
            missing = f"\n{'':{width}}  {error}"
        print(f"{name:{width}}  {entry.summary}{options}{default}{missing}")  # noqa: T201 (its job)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    with Interrupts() as interrupts:
        try:
            with ExitStack() as stack:
                return _run_tube(arguments, interrupts, stack)
        except (Refusal, RunnerError) as error:
            _tell(str(error), error, arguments)
            return 2
        except KeyboardInterrupt:
            _tell("interrupted", None, arguments)
            return interrupts.exit_code


def _run_tube(arguments: argparse.Namespace, interrupts: Interrupts, stack: ExitStack) -> int:
    """Run the tube. What is opened, the stack closes.

    Raises:
        Refusal: the arguments, the tube or a file is not as it should be; nothing has run.
        RunnerError: the same, of the runner.
    """
    entry = registry.find(arguments.runner)
    workers = {} if arguments.workers is None else {"workers": arguments.workers}
    parameters = entry.parameters(workers)
    runner_class = entry.load()
    claimed = _claim(stack) if arguments.output == "-" else None
    inputs = _inputs(arguments, stack)
    tube = _load(arguments)
    try:
        runner = runner_class(tube, **parameters)
    except Exception as error:
        raise Refusal(f"runner {entry.name!r} cannot run {arguments.tube}: {error}") from error
    output = _open_output(arguments, stack) if claimed is None else claimed

    encoder = Encoder(lossy=arguments.lossy)
    wanted = not (arguments.no_progress or os.isatty(output))  # there, the lines are the progress
    display = Display(Path(arguments.tube).name, arguments.n, wanted=wanted)
    session = Session(
        runner,
        interrupts,
        emit=lambda epoch, value: write_line(output, encoder.line(epoch, value)),
        advanced=display.advanced,
    )
    with display:
        session.run(inputs)
    for message, problem in session.problems:
        _tell(message, problem, arguments)
    if session.ending != "unread":
        line = summary(session, entry.name, encoder.not_finite)
        Console(stderr=True).print(line, soft_wrap=True, markup=False, highlight=False)
    codes = {"interrupted": interrupts.exit_code, "refused": 2, "failed": 1}
    return codes.get(session.ending, 0)


def _tell(message: str, error: BaseException | None, arguments: argparse.Namespace) -> None:
    if error is not None and arguments.traceback:
        traceback.print_exception(error)
    print(f"noob-runners: {message}", file=sys.stderr)  # noqa: T201 (a command's way to say it)


def _claim(stack: ExitStack) -> int:
    try:
        return stack.enter_context(stdout_claimed())
    except OSError as error:
        raise Refusal(f"standard output cannot be used ({error}); choose -o FILE") from error


def _load(arguments: argparse.Namespace) -> IndexedTube:
    given = {key: _value(text) for key, text in arguments.input}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExtraInputWarning)  # it is refused below
            tube = IndexedTube.from_specification(arguments.tube, given)
    except Exception as error:
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise Refusal(f"cannot load {arguments.tube}: {reason}") from error
    known = tube.input_collection.specs.get(InputScope.tube, {})
    for key in given:
        if key not in known:
            raise Refusal(
                f"{arguments.tube} has no tube-scoped input {key!r}; it has: "
                f"{', '.join(known) or 'none'}"
            )
    if arguments.inputs is None:
        try:
            tube.input_collection.validate_input(InputScope.process, {})
        except InputMissingError as error:
            raise Refusal(f"{arguments.tube}: {error}; give it with --inputs") from error
    return tube


def _value(text: str) -> Any:
    """What a text stands for: a Python literal, JSON, or else itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> float:
    """Leave ``NaN`` and ``Infinity`` text: they are not JSON.

    Raises:
        ValueError: always.
    """
    raise ValueError(name)


def _inputs(arguments: argparse.Namespace, stack: ExitStack) -> Iterable[Mapping[str, Any]]:
    """The process-scoped inputs of each epoch."""
    if arguments.inputs is None:
        return repeat({}) if arguments.n is None else repeat({}, arguments.n)
    if arguments.inputs == "-":
        if sys.stdin is None:
            raise Refusal("--inputs -: standard input is closed")
        objects = _objects("standard input", sys.stdin.buffer)
    else:
        try:
            file = Path(arguments.inputs).open("rb")  # noqa: SIM115 (the stack closes it)
        except OSError as error:
            raise Refusal(f"--inputs: {error}") from error
        objects = _objects(arguments.inputs, stack.enter_context(file))
    return islice(objects, arguments.n)


def _objects(name: str, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Read JSON lines as they come. Empty lines are passed over.

    Raises:
        Refusal: a line is not a JSON object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Refusal(f"{name}, line {number}: this is not JSON: {error}") from error
        if not isinstance(given, dict):
            raise Refusal(f"{name}, line {number}: not an object, but {type(given).__name__}")
        yield given


def _open_output(arguments: argparse.Namespace, stack: ExitStack) -> int:
    path = Path(arguments.output)
    for read in (arguments.tube, arguments.inputs):
        if read is not None and path.is_file() and Path(read).is_file() and path.samefile(read):
            raise Refusal(f"-o {path}: that is the file {read}, which is read")
    try:
        return stack.enter_context(path.open("wb", buffering=0)).fileno()
    except OSError as error:
        raise Refusal(f"-o: {error}") from error


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number
