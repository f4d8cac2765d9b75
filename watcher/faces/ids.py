"""Ids in other spellings: the same 128 bits, so there is no table of aliases."""

from __future__ import annotations

import re
from uuid import UUID, uuid5

from watcher.domain.ids import crockford, number_of
from watcher.refused import NotFound

NOUNS = {"inv": "invoice", "mer": "merchant", "wh": "webhook", "dep": "payment", "key": "key"}


def uuid_of(id: str) -> UUID:
    """The UUID in one of our ids."""
    number = number_of(id.partition("_")[2])
    if number is None:
        raise ValueError(f"not an id of ours: {id[:40]!r}")
    return UUID(int=number)


def hex_id(prefix: str, id: str) -> str:
    """Another prefix and 32 hex digits."""
    return f"{prefix}_{uuid_of(id).hex}"


def derived(prefix: str, id: str, name: str) -> str:
    """What `name` is called within the thing with this id: the same whenever it is asked."""
    return f"{prefix}_{uuid5(uuid_of(id), name).hex}"


def read_id(prefix: str, text: str) -> str:
    """Our id of what is named by it, by 32 hex digits or by a UUID, with a prefix or without.

    Raises:
        NotFound: nothing can have this name.
    """
    bare = text.rpartition("_")[2].strip()
    number = number_of(bare.upper())
    if number is None and re.fullmatch(r"[0-9a-f]{32}", bare.replace("-", "").lower(), re.ASCII):
        number = int(bare.replace("-", ""), 16)
    if number is None:
        raise NotFound(f"there is no such {NOUNS[prefix]}")
    return f"{prefix}_{crockford(number)}"
