"""FastEventStore on a plan's slots: where the loop over an epoch's nodes keeps their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

from noob.store import EventStore

from noob_runners.components import StoreCore
from noob_runners.event_store import DropIn

if TYPE_CHECKING:
    from noob import Epoch

    from noob_runners.components import ValueBlock
    from noob_runners.executor import Packed
    from noob_runners.plan import Plan

__all__ = ["OnPlan", "PlanStore", "SubepochValues"]


class SubepochValues:
    """What the nodes of one sub-epoch emitted, by slot, and those of the epochs it is part of.

    Args:
        blocks: the sub-epoch's own, then those of its parents, the nearest first.
    """

    __slots__ = ("_blocks", "_own", "put")

    def __init__(self, blocks: list[ValueBlock]) -> None:
        self._blocks = blocks
        self._own = blocks[0]
        self.put = self._own.put
        """Note an emitted value, now."""

    def has(self, slot: int) -> bool:
        """Whether the slot holds a value here."""
        return self._own.has(slot)

    def get(self, slot: int, default: Any) -> Any:
        """The slot's value here or, if there is none, in the nearest epoch above that has one."""
        return self._holder(slot).get(slot, default)

    def raw(self, slot: int, default: Any) -> Any:
        """The same, unopened."""
        return self._holder(slot).raw(slot, default)

    def _holder(self, slot: int) -> ValueBlock:
        return next((block for block in self._blocks if block.has(slot)), self._own)


class _Root:
    """An open root epoch.

    Args:
        epoch: the root epoch.
        inputs: by slot, what nodes read without anyone having emitted it.
        block: where its values are kept.
        ahead: whether it has begun before its turn: what it emitted is not shown yet.
    """

    __slots__ = ("ahead", "below", "block", "epoch", "inputs")

    def __init__(
        self, epoch: Epoch, inputs: dict[int, Any], block: ValueBlock, *, ahead: bool
    ) -> None:
        self.epoch = epoch
        self.inputs = inputs
        self.block = block
        self.ahead = ahead
        self.below: dict[Epoch, SubepochValues] = {}
        self.supply()

    def supply(self) -> None:
        """Put in what is there from the beginning."""
        for slot, value in self.inputs.items():
            self.block.supply(slot, value)


class OnPlan(DropIn):
    """What makes a `StoreCore` one whose signals have the slots that a plan gives them.

    Args:
        plan: which slot belongs to which signal.
        packed: the type of values of which ``open()`` gives what they stand for, if there is one;
            they are opened when they are first read.
    """

    plan: Plan
    packed: type[Packed] | None

    def __new__(cls, plan: Plan, packed: type[Packed] | None = None) -> Self:
        """Number the plan's signals, then its inputs, as the plan does."""
        signals = [(it.node_id, name) for it in plan.steps.values() for name in it.signals]
        signals += [("input", name) for name in plan.inputs]
        return super().__new__(cls, signals=signals, packed=packed)

    def __init__(self, plan: Plan, packed: type[Packed] | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.packed = packed
        self._roots: dict[int, _Root] = {}
        """The open root epochs, by number."""

    @property
    def _core(self) -> StoreCore:
        return cast("StoreCore", self)

    def begin(self, epoch: Epoch, inputs: dict[int, Any], *, ahead: bool) -> ValueBlock:
        """Begin a root epoch.

        Args:
            epoch: the root epoch.
            inputs: by slot, what nodes read without anyone having emitted it.
            ahead: whether it begins before its turn.

        Returns:
            The block for its values.
        """
        block = self._core.open(epoch, self.plan.size, ahead)
        self._roots[epoch.root] = _Root(epoch, inputs, block, ahead=ahead)
        return block

    def reveal(self, epoch: Epoch) -> None:
        """It is the turn of a root epoch that has begun ahead."""
        self._roots[epoch.root].ahead = False
        self._core.show(epoch.root)

    def end(self, epoch: Epoch) -> None:
        """Forget a root epoch, which may have begun ahead."""
        root = self._roots.pop(epoch.root, None)
        if root is not None:
            self._core.show(epoch.root)
            super().clear(root.epoch)

    def forget(self) -> None:
        """Forget everything but the epochs that have begun ahead."""
        for root in [root for root in self._roots.values() if not root.ahead]:
            self.end(root.epoch)
        super().clear()
        if not self._roots:
            self._subepochs.clear()

    def values(self, epoch: Epoch) -> ValueBlock | SubepochValues:
        """The values of an open epoch or of a sub-epoch of it."""
        root = self._roots[epoch.root]
        if epoch == root.epoch:
            return root.block
        below = root.below.get(epoch)
        if below is None:
            blocks = [self._core.opened(at) for at in (epoch, *epoch.parents)]
            below = root.below[epoch] = SubepochValues(blocks)
        return below

    def clear(self, epoch: Epoch | None = None) -> None:
        """Forget an epoch and its sub-epochs, or everything; open epochs stay open."""
        if epoch is not None and (known := self._roots.get(epoch.root)) is not None and known.ahead:
            return  # nothing of it is shown yet
        super().clear(epoch)
        for root in list(self._roots.values()):
            if root.ahead or (epoch is not None and epoch.root != root.epoch.root):
                continue
            root.below.clear()
            if epoch is None or epoch == root.epoch:
                root.block.clear()
                root.supply()
                self._core.adopt(root.epoch, root.block)


class PlanStore(OnPlan, StoreCore, EventStore):  # type: ignore[misc] # no list is returned
    """A FastEventStore on a plan's slots."""
