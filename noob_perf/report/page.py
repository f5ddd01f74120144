"""The page: one HTML file that needs nothing else, made from a suite's results alone."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from noob_perf.report import units
from noob_perf.report.charts import growth_chart, strip_chart
from noob_perf.report.rows import describe_stock_load, make_rows, warnings

if TYPE_CHECKING:
    from noob_perf.report.rows import Row
    from noob_perf.results import SuiteResult


def environment() -> Environment:
    """Return what renders the templates: values escaped, units at hand."""
    made = Environment(
        loader=PackageLoader("noob_perf.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "seconds": units.seconds,
        "memory": units.memory,
        "number": units.number,
        "times": units.times,
        "percent": units.percent,
        "median": median,
    }
    made.globals |= {
        "seconds_between": units.seconds_between,
        "times_between": units.times_between,
    }
    return made


def make_page(result: SuiteResult) -> str:
    """Lay out a suite's results as one self-contained HTML document, every value escaped."""
    rows = make_rows(result)
    return (
        environment()
        .get_template("suite.html.j2")
        .render(
            result=result,
            workload=result.workload,
            machine=result.machine,
            rows=rows,
            missing=[row for row in rows if not row.measured],
            warnings=warnings(result),
            headlines=_headlines(rows),
            strips=strip_chart(rows),
            growth=growth_chart(result.stock_load),
            stock_load=describe_stock_load(result.stock_load) if result.stock_load else "",
        )
    )


def _headlines(rows: list[Row]) -> list[tuple[str, str]]:
    """The few figures that most readers come for: a value and what it says."""
    by_name = {row.run.runner: row for row in rows if row.measured and not row.reduced}
    best = min(
        (row for name, row in by_name.items() if name != "loop"),
        key=lambda row: row.run.us_per_node or 0.0,
        default=None,
    )
    if best is None or best.epoch is None or best.run.us_per_node is None:
        return []
    found = [
        (f"{units.number(best.run.us_per_node)} µs", f"a node on {best.run.runner}, the fastest")
    ]
    if best.speedup is not None and best.run.runner != "sync":
        found.append((units.times(best.speedup.value), f"{best.run.runner} over NOOB's sync"))
    loop = by_name.get("loop")
    if loop is not None and loop.epoch is not None:
        ratio = units.times(best.epoch.value / loop.epoch.value)
        found.append((ratio, "the time of a plain Python loop over the same functions"))
    if best.run.load_s is not None:
        found.append((units.seconds(best.run.load_s), "to load the tube"))
    return found
