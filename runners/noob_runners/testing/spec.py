"""Writing tube specifications in few words; a :class:`Case` is one and how to run it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Spec = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A tube specification and how to run it."""

    name: str
    spec: Spec
    epochs: int = 4
    """How often ``process()`` is called."""
    tube_input: Mapping[str, Any] = field(default_factory=dict)
    """What is given when the tube is loaded."""
    inputs: tuple[Mapping[str, Any], ...] = ({},)
    """What is given to ``process()``: one mapping an epoch, from the start again at the end."""
    toggles: Mapping[int, Mapping[str, bool]] = field(default_factory=dict)
    """Before which epoch which nodes are enabled (true) or disabled (false)."""

    def __str__(self) -> str:
        """The name, as pytest shows it."""
        return self.name


def node(
    kind: str,
    *positional: str,
    params: Mapping[str, Any] | None = None,
    depends: str | None = None,
    enabled: bool | str = True,
    **slots: str,
) -> Spec:
    """A node of a specification.

    Args:
        kind: ``nodes.NAME`` or ``classes.NAME`` of this package, or a type that NOOB knows by
            itself (``map``, ``gather``, ``return``, ``tube``, a builtin)
        positional: the signals (``node.signal``) for the positional slots
        params: the static parameters
        depends: instead of slots, the one signal of a scalar dependency
        enabled: whether the node is enabled, or the input that says so
        slots: the signal for each keyword slot
    """
    spec: Spec = {"type": _qualified(kind)}
    if depends is not None:
        spec["depends"] = depends
    elif positional or slots:
        spec["depends"] = [*positional, *({slot: signal} for slot, signal in slots.items())]
    if params is not None:
        spec["params"] = dict(params)
    if enabled is not True:
        spec["enabled"] = enabled
    return spec


def nested(tube_spec: Spec, **slots: str) -> Spec:
    """A node that is a tube of its own."""
    return node("tube", params={"tube": tube_spec}, **slots)


def asset(
    kind: str, scope: str, params: Mapping[str, Any] | None = None, depends: str | None = None
) -> Spec:
    """An asset of a specification, of a kind in this package's ``assets``."""
    spec: Spec = {"type": _qualified(f"assets.{kind}"), "scope": scope}
    if params is not None:
        spec["params"] = dict(params)
    if depends is not None:
        spec["depends"] = depends
    return spec


def given(scope: str, **options: Any) -> Spec:
    """An input of a specification (options: ``default``, ``required``)."""
    return {"type": "int", "scope": scope, **options}


def tube(
    *,
    assets: Mapping[str, Spec] | None = None,
    inputs: Mapping[str, Spec] | None = None,
    **nodes: Spec,
) -> Spec:
    """A whole specification; the nodes stand in it in the order given."""
    spec: Spec = {
        "noob_id": "contract",
        "noob_model": "noob.tube.TubeSpecification",
        "noob_version": "1003.0.2",
    }
    if assets:
        spec["assets"] = dict(assets)
    if inputs:
        spec["input"] = dict(inputs)
    return {**spec, "nodes": dict(nodes)}


def _qualified(kind: str) -> str:
    return f"noob_runners.testing.{kind}" if "." in kind else kind
