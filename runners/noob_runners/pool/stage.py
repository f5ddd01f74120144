"""Where a worker's calls run: the general way, for any step and any number of them."""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from noob_runners.errors import UnpicklableError
from noob_runners.executor import NOT_RUN
from noob_runners.pool.failures import pack_error
from noob_runners.pool.packing import Packed, unpack
from noob_runners.pool.progress import RECORD
from noob_runners.pool.recipes import describe
from noob_runners.recipe import arguments, emitted

if TYPE_CHECKING:
    from mmap import mmap

    from noob_runners.pool.recipes import Table
    from noob_runners.pool.source import Lease
    from noob_runners.recipe import Recipe

    Outcome = tuple[int, list[Any], list[int], bytes | None, tuple[int, ...]]
    """Ticket, values, clock, error, steps."""

__all__ = ["Stage"]

_ENOUGH_BYTES = 1 << 20
"""Values that are worth a message. A call whose steps have returned so much ends there: its values
take memory twice until they are sent, and what its message costs is little beside them."""


class Stage:
    """Runs calls, and keeps the stateful nodes among their steps."""

    def __init__(self, table: Table, progress: mmap, outcomes: list[Outcome]) -> None:
        """Prepare to run.

        Args:
            table: of the steps.
            progress: where to note which is in progress.
            outcomes: those that are held back, of which the number is noted too.
        """
        self._table = table
        self._progress = progress
        self._outcomes = outcomes
        self._nodes: dict[int, Any] = {}
        """The stateful nodes that have been initialised, by step."""

    def run(self, call: tuple[Any, ...]) -> Outcome:
        """Run a call: ticket, steps, values, epoch and, if its values are packed, these."""
        ticket, steps, values, epoch = call[:4]
        returned: list[Any] = []
        clock: list[int] = []
        nbytes = 0
        try:
            if len(call) > 4:  # noqa: PLR2004 (as above)
                values = self._opened(steps, call[4])
            needs, last = self._table.needs, steps[-1]
            for step in steps:
                if returned and not all(slot in values for slot in needs.get(step, ())):
                    returned.append(NOT_RUN)
                    clock += (0, 0)
                    continue
                begin = monotonic_ns()
                held = len(self._outcomes)
                RECORD.pack_into(self._progress, 0, begin, ticket, step, held, begin)
                recipe = self._table.recipe(step)
                args, kwargs = arguments(recipe, values.get, epoch)
                function = self._node(step, recipe).process if recipe.stateful else recipe.call
                value = function(*args, **kwargs)
                clock += (begin, monotonic_ns() - begin)
                returned.append(value)
                if step is not last:
                    nbytes += _size(value)
                    if nbytes >= _ENOUGH_BYTES:
                        break
                    for at, emission in enumerate(emitted(recipe, value) or ()):
                        values[recipe.first + at] = emission
        except BaseException as error:  # noqa: BLE001 (a node that says SystemExit ends its call only)
            return ticket, returned, clock, pack_error(error), steps
        return ticket, returned, clock, None, steps

    def close(self) -> None:
        """End the stateful nodes, whatever they raise."""
        for node in self._nodes.values():
            try:
                node.deinit()
            except BaseException:  # noqa: BLE001, S112 (the others are to end too)
                continue
        self._nodes.clear()

    def _node(self, step: int, recipe: Recipe) -> Any:
        node = self._nodes.get(step)
        if node is None:
            recipe.call.init()
            node = self._nodes[step] = recipe.call
        return node

    def _opened(
        self, steps: tuple[int, ...], packed: dict[int, tuple[Packed, Lease | None]]
    ) -> dict[int, Any]:
        values = {}
        for slot, (parcel, lease) in packed.items():
            try:
                values[slot] = unpack(parcel, lease)
            except Exception as error:
                table = self._table
                what = describe(table.recipes, table.names, steps, slot)
                raise UnpicklableError(f"{what} cannot be unpickled: {error!r}") from error
        return values


def _size(value: Any) -> int:
    """The bytes of a value that is an array or the like; 0 for others."""
    if isinstance(value, bytes | bytearray):
        return len(value)
    nbytes = getattr(value, "nbytes", 0)
    return nbytes if isinstance(nbytes, int) else 0
