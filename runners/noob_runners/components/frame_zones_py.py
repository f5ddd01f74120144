"""Time zones of a frame: only those that there are, by their keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# The longest there are have some 40 characters.
_KEY = re.compile(r"[A-Za-z0-9_+\-/]{1,64}", re.ASCII)
# The keys of all zones by where they were looked for.
_zones: dict[tuple[str, ...], set[str]] = {}


def zone_of(key: str) -> ZoneInfo:
    """The time zone of a key.

    Raises:
        ValueError: if there is none. ZoneInfo itself would import packages that the key names.
        ImportError: if there is no zoneinfo.
    """
    import zoneinfo  # noqa: PLC0415 (only a frame with such a zone needs it)

    if not _KEY.fullmatch(key) or not _is_there(key, zoneinfo.TZPATH):
        raise ValueError("a time zone's key that there is not")
    return zoneinfo.ZoneInfo(key)


def _is_there(key: str, path: tuple[str, ...]) -> bool:
    import zoneinfo  # noqa: PLC0415 (only a frame with such a zone needs it)

    zones = _zones.get(path)
    if zones is None:
        zones = zoneinfo.available_timezones()
        _zones.clear()
        _zones[path] = zones
    return key in zones
