"""The suite as a command: ``python -m noob_perf.suite``, also ``noob-perf suite``.

It turns arguments into a plan of one experiment: how do the runners compare on one graph?
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from noob_perf import registry
from noob_perf.command import (
    ExitCode,
    Presentation,
    add_files,
    conduct,
    consoles,
    positive_float,
    positive_int,
)
from noob_perf.errors import LabError
from noob_perf.experiments.runners import Plan, measure
from noob_perf.measure import schedule
from noob_perf.report.page import make_page
from noob_perf.report.rows import warnings
from noob_perf.report.table import make_table
from noob_workloads import KERNELS, PATTERNS, Workload, WorkloadError

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the suite's options to a parser."""
    defaults = Workload()
    plan = Plan((), defaults, "")
    what = parser.add_argument_group("what runs")
    what.add_argument(
        "--runner", action="append", metavar="NAME", dest="runners",
        help="a runner to measure; may be given several times; 'all' (the default) takes every "
        "installed one and says how to get the others",
    )  # fmt: skip
    what.add_argument(
        "--pattern", default=defaults.pattern, metavar="NAME",
        help="how the graph's nodes depend on each other (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--nodes", type=int, default=defaults.nodes, metavar="N",
        help="nodes of the graph (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--width", type=int, default=defaults.width, metavar="N",
        help="nodes in a layer or step, for patterns that have them (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--fan-in", type=int, default=defaults.fan_in, metavar="N",
        help="inputs of a node, for patterns that leave it open (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--density", type=float, default=defaults.density, metavar="SHARE",
        help="chance of each possible edge, for patterns that draw them (default: the pattern's)",
    )  # fmt: skip
    what.add_argument(
        "--jump", type=int, default=defaults.jump, metavar="N",
        help="layers that an edge of random_layered may reach back (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--source", default=None, metavar="FILE", help="the WfFormat file of --pattern wfformat"
    )
    what.add_argument(
        "--kernel", default=defaults.kernel, metavar="NAME",
        help="what a node does (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--duration", type=float, default=defaults.duration, metavar="SECONDS",
        help="work of a node on average, for kernels that work (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--output-bytes", type=int, default=defaults.output_bytes, metavar="N",
        help="size of a node's output, for --kernel payload (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--imbalance", type=float, default=defaults.imbalance, metavar="SHARE",
        help="how unequal the nodes' durations are, from 0 to 2 (default: %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--seed", type=int, default=defaults.seed, metavar="N",
        help="seed of all that is drawn (default: %(default)s)",
    )  # fmt: skip

    how = parser.add_argument_group("how it is measured")
    how.add_argument(
        "--epochs", type=positive_int, default=plan.epochs, metavar="N",
        help="epochs in a repeat; an epoch's time is the repeat's over this (default: %(default)s)",
    )  # fmt: skip
    how.add_argument(
        "--repeats", type=positive_int, default=plan.repeats, metavar="N",
        help=f"repeats of every runner (default: as many as take {schedule.CELL_BUDGET_S:g} s "
        f"going by the warm-up, from {schedule.LEAST_REPEATS} to {schedule.MOST_REPEATS})",
    )  # fmt: skip
    how.add_argument(
        "--workers", type=positive_int, default=plan.workers, metavar="N",
        help="processes or threads, for runners that have a choice (default: the runner's own)",
    )  # fmt: skip
    how.add_argument(
        "--timeout", type=positive_float, default=plan.timeout_s, metavar="SECONDS",
        help="time that a runner may take, its turns together (default: %(default)g)",
    )  # fmt: skip

    where = add_files(parser)
    where.add_argument(
        "--list", action="store_true", help="list the runners, patterns and kernels, then stop"
    )


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> ExitCode:
    """Do what the parsed arguments ask for."""
    if arguments.list:
        out, _ = consoles()
        out.print(_listing(), markup=False, highlight=False)
        return ExitCode.DONE
    return conduct(
        arguments,
        parser,
        lambda observer: measure(_planned(arguments, parser), observer),
        Presentation(
            make_table, make_page, warnings, lambda result: [run.outcome for run in result.runs]
        ),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Raises:
        SystemExit: the arguments do not make sense, with exit code 2.
    """
    parser = argparse.ArgumentParser(prog="python -m noob_perf.suite", description=DESCRIPTION)
    add_arguments(parser)
    return run(parser.parse_args(argv), parser)


DESCRIPTION = (
    "Measure NOOB runners on one generated graph: each in a process of its own, warmed up, in "
    "turns, every result checked before its time counts. Exit code: 0 if every runner was measured "
    "or is unsupported, 1 if some failed, 2 for wrong usage, 3 if nothing was measured."
)


def _planned(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> Plan:
    """Turn the arguments into a plan; what is no plan is an error of usage."""
    try:
        return _plan(arguments)
    except (LabError, WorkloadError, OSError) as error:
        parser.error(str(error))


def _plan(arguments: argparse.Namespace) -> Plan:
    workload = Workload(
        pattern=arguments.pattern,
        nodes=arguments.nodes,
        width=arguments.width,
        fan_in=arguments.fan_in,
        kernel=arguments.kernel,
        duration=arguments.duration,
        output_bytes=arguments.output_bytes,
        imbalance=arguments.imbalance,
        density=arguments.density,
        jump=arguments.jump,
        seed=arguments.seed,
        source=arguments.source,
    )
    workload.graph()  # a pattern that cannot be this small, or a bad file, is an error of usage
    return Plan(
        entries=_chosen(arguments.runners or [ALL]),
        workload=workload,
        command=_command(arguments),
        epochs=arguments.epochs,
        repeats=arguments.repeats,
        workers=arguments.workers,
        timeout_s=arguments.timeout,
    )


def _chosen(names: Sequence[str]) -> tuple[registry.RunnerEntry, ...]:
    """Resolve names, each once, in the order given; what is named must be installed."""
    chosen: dict[str, registry.RunnerEntry] = {}
    for name in names:
        if name == ALL:
            chosen |= {entry.name: entry for entry in registry.entries()}
        else:
            chosen.setdefault(name, registry.find_installed(name))
    return tuple(chosen.values())


def _command(arguments: argparse.Namespace) -> str:
    """Write the command that measures the same again, every option spelt out."""
    words = ["python", "-m", "noob_perf.suite"]
    for name in arguments.runners or [ALL]:
        words += ["--runner", name]
    for name, value in vars(arguments).items():
        if name not in {"runners", "json", "html", "list", "experiment"} and value is not None:
            shown = Path(value).name if name == "source" else value
            words += [f"--{name.replace('_', '-')}", str(shown)]
    return shlex.join(words)


def _listing() -> str:
    lines = ["Runners"]
    for entry in registry.entries():
        state = f" [{registry.missing_reason(entry)}]" if entry.missing else ""
        lines.append(f"  {entry.name:<20} {entry.summary}{state}")
    lines += ["", "Patterns"]
    lines += [f"  {name:<20} {pattern.description}" for name, pattern in PATTERNS.items()]
    lines += ["", "Kernels"]
    lines += [f"  {name:<20} {kernel.description}" for name, kernel in KERNELS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
