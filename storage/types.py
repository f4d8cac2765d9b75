"""Column types that hold our values exactly, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Dialect, LargeBinary, Numeric, Text, TypeDecorator
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from watcher.domain.deposits import Depth
from watcher.domain.money import MAX_UNITS

Conn = AsyncConnection


class Uint256(TypeDecorator[int]):
    """0 … 2**256 - 1: 32 bytes on SQLite, NUMERIC on PostgreSQL; both sort and compare right.

    SQLite cannot add them up: sums are made in Python.
    """

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        exact = Numeric(78, 0) if dialect.name == "postgresql" else LargeBinary(32)
        return dialect.type_descriptor(exact)

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | bytes | None:
        if value is None:
            return None
        if type(value) is not int or not 0 <= value <= MAX_UNITS:  # a bool is no amount either
            raise ValueError(f"not an unsigned integer of 256 bits: {value!r}")
        return Decimal(value) if dialect.name == "postgresql" else value.to_bytes(32, "big")

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value)


class Exact(TypeDecorator[Fraction]):
    """A `Fraction` as text: "1/3", and "1" for a whole number. It does not sort."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Fraction | None, dialect: Dialect) -> str | None:
        if value is not None and not isinstance(value, Fraction):
            raise ValueError(f"not a fraction: {value!r}")
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Fraction | None:
        return None if value is None else Fraction(value)


class JsonText(TypeDecorator[Any]):
    """JSON as compact text: the order of keys stays, integers of any size are exact.

    ASCII only, so that a NUL or a lone surrogate in a merchant's text cannot fail a transaction.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return json.dumps(value, separators=(",", ":"), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class DepthText(TypeDecorator[Depth]):
    """A number of blocks, or "finalized"."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Depth | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Depth | None:
        if value is None:
            return None
        return "finalized" if value == "finalized" else int(value)


class Words(TypeDecorator[frozenset[str]]):
    """A set of words as sorted text, framed so that one can be looked for: ",late,overpaid,"."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: frozenset[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else "".join(f",{word}" for word in sorted(value)) + ","

    def process_result_value(self, value: str | None, dialect: Dialect) -> frozenset[str] | None:
        return None if value is None else frozenset(value.strip(",").split(",")) - {""}
