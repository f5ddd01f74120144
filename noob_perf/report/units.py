"""How quantities are written for people: three significant digits and the unit that suits them."""

from __future__ import annotations

_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))


def seconds(value: float) -> str:
    """Write a time given in seconds, such as ``10.2 s`` or ``34.5 µs``."""
    return _scaled(value, _SECONDS)


def tick(value: float) -> str:
    """Write the round number of seconds at a mark of an axis, such as ``1 ms``."""
    factor, unit = _unit(value, _SECONDS)
    return f"{value / factor:g} {unit}"


def memory(value: float) -> str:
    """Write a size given in bytes, such as ``142 MiB``."""
    return _scaled(value, _BYTES)


def number(value: float) -> str:
    """Write a number with three significant digits, and all the digits left of its point."""
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude < 1:
        return f"{value:#.3g}"
    decimals = 0 if magnitude >= 100 else 1 if magnitude >= 10 else 2  # noqa: PLR2004 - digits
    return f"{value:,.{decimals}f}"


def times(value: float) -> str:
    """Write a factor, such as ``12.3x``."""
    return f"{number(value)}x"


def seconds_between(low: float, high: float) -> str:
    """Write an interval of times, such as ``10.1 to 10.3 s``; a shared unit is written once."""
    first, last = seconds(low), seconds(high)
    if first.split()[1] == last.split()[1]:
        first = first.split()[0]
    return f"{first} to {last}"


def times_between(low: float, high: float) -> str:
    """Write an interval of factors, such as ``12.3 to 12.9x``."""
    return f"{number(low)} to {times(high)}"


def percent(value: float) -> str:
    """Write a share from 0 to 1 in percent, without decimals."""
    return f"{value:.0%}"


def _scaled(value: float, units: tuple[tuple[float, str], ...]) -> str:
    factor, unit = _unit(value, units)
    return f"{number(value / factor)} {unit}"


def _unit(value: float, units: tuple[tuple[float, str], ...]) -> tuple[float, str]:
    # a tick at 0.001 may be 0.0009999...: it must not fall below its unit
    return next((unit for unit in units if abs(value) >= unit[0] * (1 - 1e-9)), units[-1])
