"""Root of the Merkle-Patricia trie of a list: item i stands under the key RLP(i).

Not a general trie: the whole list is known, so each node is computed once, from the leaves up.
Source: Yellow Paper, appendix D. A path is a string of hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from chains.evm import rlp

_NOTHING = b"\x80"
EMPTY_ROOT = rlp.hashed(_NOTHING)

Leaf = tuple[str, bytes]  # path, value


def list_root(values: Sequence[bytes]) -> str:
    """The root over `values` in order; each is the content of a leaf, usually itself RLP."""
    if not values:
        return EMPTY_ROOT
    leaves = sorted((_key(index), value) for index, value in enumerate(values))
    return rlp.hashed(_node(leaves, 0))


def _node(leaves: Sequence[Leaf], depth: int) -> bytes:
    """RLP of the node over `leaves`, sorted, whose paths share their first `depth` digits."""
    path, value = leaves[0]
    if len(leaves) == 1:
        return rlp.byte_sequence(_path(2, path[depth:]) + rlp.byte_string(value))
    shared = _shared(path, leaves[-1][0])
    if shared > depth:  # an extension
        return rlp.byte_sequence(_path(0, path[depth:shared]) + _ref(leaves, shared))
    slots = [_NOTHING] * 17  # the last is for a value: no key is the beginning of another
    for digit, below in groupby(leaves, key=lambda leaf: leaf[0][depth]):
        slots[int(digit, 16)] = _ref(list(below), depth + 1)
    return rlp.byte_sequence(b"".join(slots))


def _shared(first: str, last: str) -> int:
    """How many digits two paths begin with alike; neither is the beginning of the other."""
    return next(
        at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other
    )


def _ref(leaves: Sequence[Leaf], depth: int) -> bytes:
    """How a parent holds a node: itself below 32 bytes, else its hash."""
    node = _node(leaves, depth)
    return node if len(node) < 32 else rlp.byte_string(rlp.digest(node))


@lru_cache(maxsize=1024)  # the same for every list
def _key(index: int) -> str:
    return rlp.integer(index)


@lru_cache(maxsize=512)  # what is left of a key at a leaf is mostly a digit or nothing
def _path(kind: int, digits: str) -> bytes:
    """RLP of a path in hex-prefix encoding; kind 2 is a leaf's, 0 an extension's."""
    prefixed = f"{kind + 1}{digits}" if len(digits) & 1 else f"{kind}0{digits}"
    return rlp.byte_string(bytes.fromhex(prefixed))
