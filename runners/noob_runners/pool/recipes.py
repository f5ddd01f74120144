"""The steps of a tube on their way to workers, and how a worker calls each."""

from __future__ import annotations

import pickle
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from noob.node import Node

from noob_runners.errors import UnpicklableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from noob_runners.recipe import Recipe

    Quick = tuple[Callable[..., Any], Callable[[dict[int, Any]], Any]]
    """A function, and what makes its arguments of a call's values."""

__all__ = ["Table", "describe", "pack_recipes", "signal_names", "type_name"]


def pack_recipes(
    recipes: Mapping[int, Recipe],
) -> tuple[dict[int, tuple[str, bytes]], dict[int, Exception]]:
    """Pickle each recipe.

    Returns:
        Node ids and pickles, and the errors of those that have none, by step.
    """
    packed: dict[int, tuple[str, bytes]] = {}
    refused: dict[int, Exception] = {}
    for step, recipe in recipes.items():
        try:
            packed[step] = recipe.node_id, _pack(recipe)
        except Exception as error:  # noqa: BLE001 (whatever its objects do when pickled)
            refused[step] = _refusal(recipe, error)
    return packed, refused


def signal_names(recipes: Mapping[int, Recipe]) -> dict[int, str]:
    """The name of each slot, ``node.signal``."""
    return {
        recipe.first + at: f"{recipe.node_id}.{signal}"
        for recipe in recipes.values()
        for at, signal in enumerate(recipe.signals)
    }


def describe(
    recipes: Mapping[int, Recipe], names: Mapping[int, str], steps: tuple[int, ...], slot: int
) -> str:
    """Say which argument of which node a slot's value is, for an error."""
    source = f" (from {names[slot]})" if slot in names else ""
    for step in steps:
        recipe = recipes.get(step)
        if recipe is None:
            continue
        for name, at in recipe.keyword:
            if at == slot:
                return f"argument {name!r} of node {recipe.node_id!r}{source}"
        if slot in recipe.positional:
            at = recipe.positional.index(slot)
            return f"argument {at} of node {recipe.node_id!r}{source}"
    return f"an input of step {steps[0]}{source}"


def type_name(value: Any) -> str:
    """The type of a value, with its module unless it is Python's own."""
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"


class Table:
    """What a worker knows of the steps."""

    def __init__(self, packed: Mapping[int, tuple[str, bytes]]) -> None:
        """Unpickle the recipes, which imports what they need."""
        self.recipes: dict[int, Recipe] = {}
        self._broken: dict[int, str] = {}
        for step, (node_id, data) in packed.items():
            try:
                self.recipes[step] = pickle.loads(data)  # noqa: S301 (from our own process)
            except Exception as error:  # noqa: BLE001 (whatever an import does)
                self._broken[step] = (
                    f"the function of node {node_id!r} cannot be unpickled in a worker: {error!r}"
                )
        self.names = signal_names(self.recipes)
        self.quick: dict[tuple[int, ...], Quick] = {
            (step,): (recipe.call, _picker(recipe.positional))
            for step, recipe in self.recipes.items()
            if not (recipe.stateful or recipe.keyword or recipe.epoch_slot)
        }
        """Of calls that need no more than a function and its positional arguments, by their steps.
        What makes the arguments raises KeyError where not all are there."""
        self.needs = {
            step: (*recipe.positional, *(slot for _, slot in recipe.keyword))
            for step, recipe in self.recipes.items()
        }
        """The slots of all inputs."""

    def recipe(self, step: int) -> Recipe:
        """A step's recipe.

        Raises:
            UnpicklableError: it could not be unpickled here.
        """
        if step in self._broken:
            raise UnpicklableError(self._broken[step])
        return self.recipes[step]


def _pack(recipe: Recipe) -> bytes:
    try:
        return pickle.dumps(recipe, 5)
    except Exception:
        if not isinstance(recipe.call, Node):
            raise
        return pickle.dumps(replace(recipe, call=_Blank(recipe.call)), 5)


class _Blank:
    """Unpickles as a node like it, made anew.

    The generator that a node makes of its function cannot be pickled.
    """

    def __init__(self, node: Node) -> None:
        self._kind = type(node)
        self._fields = {name: getattr(node, name) for name in self._kind.model_fields}

    def __reduce__(self) -> tuple[Any, ...]:
        return _construct, (self._kind, self._fields)


def _construct(kind: type[Node], fields: dict[str, Any]) -> Node:
    return kind.model_construct(**fields)


def _refusal(recipe: Recipe, error: Exception) -> UnpicklableError:
    call = recipe.call
    what = type_name(call)
    if isinstance(call, Node):
        function = getattr(call, "fn", None) or getattr(call, "cls", None)
        what = (
            what if function is None else f"{what} of {getattr(function, '__qualname__', function)}"
        )
    elif hasattr(call, "__qualname__"):
        what = f"{what} {call.__qualname__}"
    refusal = UnpicklableError(
        f"node {recipe.node_id!r} cannot be sent to another process: its function ({what}) cannot "
        f"be pickled: {error}"
    )
    refusal.__cause__ = error
    return refusal


def _picker(slots: tuple[int, ...]) -> Callable[[dict[int, Any]], Any]:
    if not slots:
        return _nothing
    if len(slots) > 1:
        return itemgetter(*slots)
    slot = slots[0]
    return lambda values: (values[slot],)


def _nothing(values: dict[int, Any]) -> tuple[()]:
    """Arguments of a function that takes none."""
    del values
    return ()
