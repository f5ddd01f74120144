"""Whether Python would take too long to make a dict or a set of keys, as noob_fast decides it.

Strings have hashes that nobody can foresee, but those of numbers and tuples can be chosen to
collide. What is replayed here are the probes of CPython's `Objects/dictobject.c` and
`Objects/setobject.c`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# So many keys of the same hash are too many: each is compared with all before it.
SAME_HASH = 64
# So many probes a key are too many. What is laid out badly by nature, as are the multiples of
# 1/1024, takes up to 14 each time that the table is laid out, which is three times a key.
_PROBES = 64
# Slots that a set looks at in a row before it jumps.
_ROW = 10
_PERTURB_SHIFT = 5
_LARGE_SET = 50_000
_UNSIGNED = (1 << 64) - 1


def is_slow(keys: Sequence[Any], *, of_set: bool) -> bool:
    """Whether a table of these keys would take time that grows with the square of their number.

    Raises what the hashing of a key raises, unless there are fewer than `SAME_HASH` keys.
    """
    if len(keys) < SAME_HASH or all(type(key) is str for key in keys):
        return False
    hashes = [hash(key) for key in keys]
    if max(Counter(hashes).values()) >= SAME_HASH:
        return True
    left, size, slots = _PROBES * len(hashes), 8, bytearray(8)
    for used in range(len(hashes)):
        again = hashes[used : used + 1]
        if _is_full(used, size, of_set=of_set):
            size = _grown(used, of_set=of_set)
            slots, again = bytearray(size), hashes[: used + 1]
        left = _taken(slots, again, _ROW if of_set else 1, left)
        if left < 0:
            return True
    return False


def _is_full(used: int, size: int, *, of_set: bool) -> bool:
    return used * 5 >= (size - 1) * 3 if of_set else used >= size * 2 // 3


def _grown(used: int, *, of_set: bool) -> int:
    if not of_set:
        return max(8, 1 << (3 * used - 1).bit_length())
    return max(8, 1 << (used * (2 if used > _LARGE_SET else 4)).bit_length())


def _taken(slots: bytearray, hashes: Sequence[int], row: int, left: int) -> int:
    """Takes a slot for each; the probes that are left after it, below 0 if they are not enough."""
    size = len(slots)
    mask = size - 1
    for hashed in hashes:
        perturb = hashed & _UNSIGNED
        at = perturb & mask
        while True:
            if left == 0:
                return -1
            left -= 1
            slot = slots.find(0, at, at + (row if at + row <= size else 1))
            if slot >= 0:
                slots[slot] = 1
                break
            perturb >>= _PERTURB_SHIFT
            at = (at * 5 + perturb + 1) & mask
    return left
