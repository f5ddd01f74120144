"""How a step is called away from its tube: what every place where calls run needs to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noob.event import MetaSignal, is_event
from noob.node.base import WrapClassNode, WrapFuncNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from noob import Epoch

    from noob_runners.plan import Step

__all__ = ["ABSENT", "Recipe", "Remade", "arguments", "emitted", "is_same", "is_special"]


ABSENT: Any = object()
"""What a slot without a value is read as."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A step without its tube. It can be pickled if its function can."""

    node_id: str
    signals: tuple[str, ...]
    """The names of the node's signals, in the order of its values."""
    first: int
    """The slot of the first signal's value; those of the others follow it."""
    positional: tuple[int, ...]
    """The slots of the positional arguments."""
    keyword: tuple[tuple[str, int], ...]
    """The names and slots of the keyword arguments."""
    epoch_slot: str | None
    """The keyword by which the node asks for the epoch, if it does."""
    call: Any
    """What to call; of a stateful node a `Remade`, which is initialised where it runs, and there
    its `process` is called."""
    stateful: bool
    """Whether it must always run in one and the same place, its calls in order."""


class Remade:
    """A stateful node that is made anew where it lives. Before `init` it can be pickled.

    Args:
        node: of a class or a function.
    """

    def __init__(self, node: WrapClassNode | WrapFuncNode) -> None:
        self._id = node.id
        self._wraps = node.cls if isinstance(node, WrapClassNode) else node.fn
        self._params = node.params
        self._is_class = isinstance(node, WrapClassNode)
        self._node: Any = None

    def init(self) -> None:
        """Make the node, and let it get ready."""
        if self._is_class:
            self._node = WrapClassNode(id=self._id, cls=self._wraps, params=self._params)
        else:
            self._node = WrapFuncNode(id=self._id, fn=self._wraps, params=self._params)
        self._node.init()

    @property
    def process(self) -> Callable[..., Any]:
        """What to call."""
        return self._node.process  # type: ignore[no-any-return] # NOOB's

    def deinit(self) -> None:
        """Let the node stop."""
        if self._node is not None:
            self._node.deinit()
            self._node = None


def arguments(
    step: Step | Recipe, get: Callable[[int, Any], Any], epoch: Epoch
) -> tuple[list[Any], dict[str, Any]]:
    """What a plain step is called with; what was not emitted, or is ``NoEvent``, is left out.

    Args:
        step: to be called.
        get: reads a slot, and is told what to answer for one without a value.
        epoch: in which it runs.
    """
    args = []
    for slot in step.positional:
        value = get(slot, ABSENT)
        if value is not ABSENT and value is not MetaSignal.NoEvent:
            args.append(value)
    kwargs: dict[str, Any] = {} if step.epoch_slot is None else {step.epoch_slot: epoch}
    for name, slot in step.keyword:
        value = get(slot, ABSENT)
        if value is not ABSENT and value is not MetaSignal.NoEvent:
            kwargs[name] = value
    return args, kwargs


def is_same(now: Any, then: Any, packed: type[Any] | None) -> bool:
    """Whether a slot holds what it held then, which may have been opened since.

    Args:
        now: what it holds.
        then: what it held.
        packed: the type of values of which ``open()`` gives what they stand for, the same object
            each time.
    """
    return now is then or (type(then) is packed and bool(then.open() is now))


def emitted(recipe: Recipe, value: Any) -> list[Any] | None:
    """The value that each signal emits, where a step returned this.

    Returns:
        None where only the loop can tell: events that the node made, ``NoEvent``, exhaustion, too
        few values, or a sequence that may not read twice alike.
    """
    if len(recipe.signals) == 1:
        values = [value]
    elif type(value) in (list, tuple) and len(value) >= len(recipe.signals) > 0:
        values = list(value[: len(recipe.signals)])
    else:
        return None
    if any(isinstance(value, MetaSignal) or is_special(value) for value in values):
        return None
    return values


def is_special(value: Any) -> bool:
    """Whether NOOB takes a value for events that the node made: an event, or a sequence of them.

    Of sequences other than lists and tuples only NOOB finds out: reading them may have effects.
    """
    if isinstance(value, int | float | str | bytes | None):
        return False
    if isinstance(value, dict):
        return is_event(value)
    if type(value) in (list, tuple):
        return len(value) > 0 and is_event(value[0])
    return isinstance(value, Sequence)
