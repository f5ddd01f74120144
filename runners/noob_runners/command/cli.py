"""The command ``noob-runners``: runs a tube for people who do not write Python.

Results are JSON lines on standard output or in a file. All else (progress, summary, errors, what
nodes print) goes to standard error.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import stat
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
        "--workers",
        type=_positive,
        metavar="N",
        help=f"how many workers there are at most{_takers('workers')}",
    )
    run.add_argument(
        "--timeline",
        metavar="FILE",
        help="write a timeline that ui.perfetto.dev opens: what ran where and when, and the "
        f"critical path of each epoch{_takers('timeline')}",
    )
    run.add_argument(
        "--stats",
        action="store_true",
        help="at the end, show which nodes took most time and how busy the workers were"
        f"{_takers('stats')}",
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
        help="process-scoped inputs, one JSON object a line and epoch; - is standard input. From a "
        "pipe or terminal an epoch's input is read when the result before it is written, so that "
        "only one epoch runs at a time",
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


def _takers(option: str) -> str:
    return f" (for --runner {', '.join(registry.takers(option))})"


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
    parameters = entry.parameters(_options(arguments))
    runner_class = entry.load()
    _refuse_same_files(arguments)
    claimed = _claim(stack) if arguments.output == "-" else None
    inputs, ahead = _inputs(arguments, stack)
    tube = _load(arguments)
    _open_timeline(arguments)
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
        ahead=ahead,
    )
    with display:
        session.run(inputs)
    for message, problem in session.problems:
        _tell(message, problem, arguments)
    if session.ending != "unread":
        _show(summary(session, entry.name, encoder.not_finite))
    if arguments.stats:
        counted: Any = runner  # of a class that is registered as one that has `stats`
        _show(f"\n{counted.stats()}")
    codes = {"interrupted": interrupts.exit_code, "refused": 2, "failed": 1}
    return codes.get(session.ending, 0)


def _tell(message: str, error: BaseException | None, arguments: argparse.Namespace) -> None:
    if error is not None and arguments.traceback:
        traceback.print_exception(error)
    print(f"noob-runners: {message}", file=sys.stderr)  # noqa: T201 (a command's way to say it)


def _show(text: str) -> None:
    Console(stderr=True).print(text, soft_wrap=True, markup=False, highlight=False)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that only some runners take, where they are given."""
    given = {name: getattr(arguments, name) for name in ("workers", "timeline", "stats")}
    return {name: value for name, value in given.items() if value not in (None, False)}


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


def _inputs(
    arguments: argparse.Namespace, stack: ExitStack
) -> tuple[Iterable[Mapping[str, Any]], bool]:
    """The process-scoped inputs of each epoch, and whether they may be read ahead of the results.

    Whoever writes into a pipe or a terminal may wait for a result before writing the next line.
    """
    if arguments.inputs is None:
        return repeat({}) if arguments.n is None else repeat({}, arguments.n), True
    if arguments.inputs == "-":
        if sys.stdin is None:
            raise Refusal("--inputs -: standard input is closed")
        name, file = "standard input", sys.stdin.buffer
    else:
        try:
            file = Path(arguments.inputs).open("rb")  # noqa: SIM115 (the stack closes it)
        except OSError as error:
            raise Refusal(f"--inputs: {error}") from error
        name = arguments.inputs
        stack.enter_context(file)
    try:
        ahead = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:  # not a file of the system
        ahead = False
    return islice(_objects(name, file), arguments.n), ahead


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


def _refuse_same_files(arguments: argparse.Namespace) -> None:
    """See that nothing is written over what is read or written by another option.

    Raises:
        Refusal: two options name the same file.
    """
    read = [
        (name, "read")
        for name in (arguments.tube, arguments.inputs)
        if name is not None and Path(name).exists()  # rather than a tube's id, or "-"
    ]
    for option, written, others in (
        ("-o", arguments.output, read),
        ("--timeline", arguments.timeline, [*read, (arguments.output, "written by -o")]),
    ):
        for name, doing in others:
            if written not in (None, "-") and _same(written, name):
                raise Refusal(f"{option} {written}: that is the file {name}, which is {doing}")


def _same(one: str, other: str) -> bool:
    """Whether two names are of the same file, which need not exist yet; a device is no file."""
    if Path(one).exists() and Path(other).exists():
        return Path(one).is_file() and Path(one).samefile(other)
    return Path(one).resolve() == Path(other).resolve()


def _open_output(arguments: argparse.Namespace, stack: ExitStack) -> int:
    try:
        return stack.enter_context(Path(arguments.output).open("wb", buffering=0)).fileno()
    except OSError as error:
        raise Refusal(f"-o: {error}") from error


def _open_timeline(arguments: argparse.Namespace) -> None:
    """See that the runner will be able to write the timeline, before anything runs.

    Raises:
        Refusal: it cannot be written.
    """
    if arguments.timeline is not None:
        try:
            Path(arguments.timeline).open("ab").close()
        except OSError as error:
            raise Refusal(f"--timeline: {error}") from error


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number
