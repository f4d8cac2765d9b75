"""Root of the Merkle-Patricia trie of a list: item i stands under the key RLP(i).

Not a general trie: the whole list is known, so each node is computed once, from the leaves up.
Source: Yellow Paper, appendix D. Text as in `rlp`; a path is a string of hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from chains.evm import rlp

_NOTHING = rlp.string("")
EMPTY_ROOT = rlp.hashed(_NOTHING)

Leaf = tuple[str, str]  # path, value


def list_root(values: Sequence[str]) -> str:
    """The root over `values` in order; each is the content of a leaf, usually itself RLP."""
    if not values:
        return EMPTY_ROOT
    leaves = sorted((rlp.integer(index), value) for index, value in enumerate(values))
    return rlp.hashed(_node(leaves, 0))


def _node(leaves: Sequence[Leaf], depth: int) -> str:
    """RLP of the node over `leaves`, sorted, whose paths share their first `depth` digits."""
    path, value = leaves[0]
    if len(leaves) == 1:
        return rlp.sequence((_path(2, path[depth:]), rlp.string(value)))
    shared = _shared(path, leaves[-1][0])
    if shared > depth:  # an extension
        return rlp.sequence((_path(0, path[depth:shared]), _ref(leaves, shared)))
    slots = [_NOTHING] * 17  # the last is for a value: no key is the beginning of another
    for digit, below in groupby(leaves, key=lambda leaf: leaf[0][depth]):
        slots[int(digit, 16)] = _ref(list(below), depth + 1)
    return rlp.sequence(slots)


def _shared(first: str, last: str) -> int:
    """How many digits two paths begin with alike; neither is the beginning of the other."""
    return next(
        at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other
    )


def _ref(leaves: Sequence[Leaf], depth: int) -> str:
    """How a parent holds a node: itself below 32 bytes, else its hash."""
    node = _node(leaves, depth)
    return node if len(node) < 64 else rlp.string(rlp.hashed(node))


@lru_cache(maxsize=512)  # what is left of a key at a leaf is mostly a digit or nothing
def _path(kind: int, digits: str) -> str:
    """RLP of a path in hex-prefix encoding; kind 2 is a leaf's, 0 an extension's."""
    return rlp.string(f"{kind + 1}{digits}" if len(digits) & 1 else f"{kind}0{digits}")
