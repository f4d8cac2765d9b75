"""Values come back from both engines exactly as they went in, and sort right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import StatementError
from sqlalchemy.types import TypeEngine

from storage import Conn, Engine, write
from storage.types import DepthText, Exact, JsonText, Uint256, Words

TYPES: dict[str, TypeEngine[Any]] = {
    "uint256": Uint256(),
    "exact": Exact(),
    "json": JsonText(),
    "depth": DepthText(),
    "words": Words(),
}
values = Table(
    "kept",
    MetaData(),
    Column("id", Integer, primary_key=True),
    *(Column(name, kind) for name, kind in TYPES.items()),
)


@pytest.fixture
async def conn(engine: Engine) -> AsyncIterator[Conn]:
    async with write(engine) as opened:
        await opened.run_sync(values.create)
        yield opened


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uint256", 0),
        ("uint256", 2**63),
        ("uint256", 2**255),
        ("uint256", 2**256 - 1),
        ("uint256", None),
        ("exact", Fraction(1, 3)),
        ("exact", Fraction(5)),
        ("exact", Fraction(2**256 - 1, 2**256 - 3)),
        ("json", {"b": 2**256, "a": [None, True, "ключ \0 \ud800"]}),
        ("json", []),
        ("depth", 12),
        ("depth", "finalized"),
        ("words", frozenset()),
        ("words", frozenset({"late", "wrong_asset", "invoices:read"})),
    ],
)
async def test_a_value_comes_back_exactly(conn: Conn, name: str, value: object) -> None:
    await conn.execute(insert(values).values({name: value}))
    assert (await conn.execute(select(values.c[name]))).scalar_one() == value


@pytest.mark.parametrize("value", [-1, 2**256, True, 1.0, "1"])
async def test_what_is_no_amount_is_refused(conn: Conn, value: object) -> None:
    with pytest.raises(StatementError, match="256 bits"):
        await conn.execute(insert(values).values(uint256=value))


@pytest.mark.parametrize("value", [1, 0.5, "1/3"])
async def test_what_is_no_fraction_is_refused(conn: Conn, value: object) -> None:
    with pytest.raises(StatementError, match="fraction"):
        await conn.execute(insert(values).values(exact=value))


async def test_amounts_sort_and_compare_as_numbers(conn: Conn) -> None:
    amounts = [0, 9, 10, 255, 256, 2**64, 2**255, 2**256 - 1]
    rows = [{"id": place, "uint256": amount} for place, amount in enumerate(reversed(amounts))]
    await conn.execute(insert(values), rows)
    ordered = await conn.scalars(select(values.c.uint256).order_by(values.c.uint256))
    assert list(ordered) == amounts
    above = await conn.scalars(select(values.c.uint256).where(values.c.uint256 > 255))
    assert set(above) == {256, 2**64, 2**255, 2**256 - 1}
