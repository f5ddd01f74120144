"""The named cases: every NOOB feature once, and the combinations that are easy to get wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noob_runners.testing.features.calls import CALLS
from noob_runners.testing.features.faults import FAULTS
from noob_runners.testing.features.flow import ENDS, SILENCE
from noob_runners.testing.features.maps import GATHERS, MAPS
from noob_runners.testing.features.state import ASSETS, INPUTS, NESTED

if TYPE_CHECKING:
    from noob_runners.testing.spec import Case


def cases() -> list[Case]:
    """All named cases, those that run and those that end in an exception."""
    return [*CALLS, *SILENCE, *MAPS, *GATHERS, *ENDS, *ASSETS, *INPUTS, *NESTED, *FAULTS]
