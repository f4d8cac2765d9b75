"""Faults of a node as data: what may go wrong with an answer, how often and for how long."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec

Kind = Literal[
    "delay", "busy", "busy_for", "broken", "html", "cut", "wrong_id",
    "string_error", "reorder", "drop", "stale", "fork", "alter",
]  # fmt: skip
"""What becomes of an answer.

delay         it comes `seconds` late
busy          a 429 comes instead; busy_for: one with Retry-After
broken        a 503
html          a page, as 200
cut           its body ends half way
wrong_id      it answers another request
string_error  an error comes instead that is a string and no object
reorder       it comes after that to a later request, or `seconds` late
drop          the connection ends
stale         it is the one that was given before the fault began
fork          it comes from a node on another branch
alter         one field of it is another
"""
KINDS: tuple[Kind, ...] = get_args(Kind)


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to fail, by chance."""

    kind: Kind
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """Of each request to be struck."""
    seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    """How late, or how long Retry-After asks to wait."""


Place = tuple[str | int, ...]
"""The keys and indices that lead to something within JSON."""

Faults = tuple[Fault, ...]
"""What may strike; of those that would, the first does."""


def random_fault(rng: random.Random, kinds: Sequence[Kind] = KINDS, most_seconds: int = 2) -> Fault:
    """Any fault of these kinds; the same for the same `rng`."""
    kind = rng.choice(kinds)
    return Fault(kind, rng.choice((0.1, 0.3, 1.0)), round(rng.uniform(0, most_seconds), 3))


class Change(NamedTuple):
    """One scalar within JSON, and what it became."""

    place: Place
    before: str | int | bool
    after: str | int | bool


def alter(value: Any, rng: random.Random) -> tuple[Any, Change | None]:
    """The same JSON with one text, number or truth value changed; itself where it has none."""
    places = places_of(value)
    return alter_at(value, rng.choice(places), rng) if places else (value, None)


def alter_at(value: Any, place: Place, rng: random.Random) -> tuple[Any, Change]:
    """The same JSON with what stands there changed."""
    changed = msgspec.json.decode(msgspec.json.encode({"": value}))
    *path, last = ("", *place)
    at = changed
    for step in path:
        at = at[step]
    before, at[last] = at[last], _another(at[last], rng)
    return changed[""], Change(place, before, at[last])


def places_of(value: Any) -> list[Place]:
    """The paths to all scalars below `value`."""
    match value:
        case dict():
            items: list[tuple[Any, Any]] = list(value.items())
        case list():
            items = list(enumerate(value))
        case None:
            return []
        case _:
            return [()]
    return [(step, *path) for step, below in items for path in places_of(below)]


def _another(value: str | int | bool, rng: random.Random) -> str | int | bool:
    """A value of the same kind that differs: a hexadecimal text stays one of its length."""
    match value:
        case bool():
            return not value
        case str():
            start = 2 if value.startswith("0x") else 0
            if len(value) == start:
                return value + "0"
            at = rng.randrange(start, len(value))
            other = "0" if value[at] != "0" else "1"
            return value[:at] + other + value[at + 1 :]
    return value + 1
