"""A large value that has come and is not looked at yet: it can be passed on as it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noob_runners.errors import UnpicklableError
from noob_runners.pool.packing import Packed, unpack

if TYPE_CHECKING:
    from noob_runners.pool.source import Lease

__all__ = ["Parcel"]


class Parcel:
    """A value in shared memory.

    Among a call's values it is passed on without being opened, unless it has been opened: its
    value may have been changed since.
    """

    __slots__ = ("__weakref__", "_lease", "_packed", "_value", "name", "nbytes")

    def __init__(self, packed: Packed, lease: Lease, name: str) -> None:
        self._packed: Packed | None = packed
        self._lease: Lease | None = lease
        self._value: Any = None
        self.name = name
        """Which signal it was, ``node.signal``."""
        self.nbytes = packed.nbytes
        """Its size in bytes."""

    def open(self) -> Any:
        """The value, the same object each time.

        Raises:
            UnpicklableError: it cannot be unpickled here.
        """
        if self._packed is not None:
            try:
                self._value = unpack(self._packed, self._lease)
            except Exception as error:
                raise UnpicklableError(
                    f"the value of {self.name} cannot be unpickled: {error!r}"
                ) from error
            self._packed = self._lease = None
        return self._value

    def sealed(self) -> tuple[Packed, Lease] | None:
        """What to pass on; None if it has been opened."""
        if self._packed is None or self._lease is None:
            return None
        return self._packed, self._lease

    def __reduce__(self) -> tuple[Any, ...]:
        """Inside another value it travels as what is in it."""
        return _itself, (self.open(),)


def _itself(value: Any) -> Any:
    return value
