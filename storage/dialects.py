"""Phrases of SQL that SQLite and PostgreSQL spell differently."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Table,
    Text,
    UnaryExpression,
    any_,
    cast,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.operators import custom_op

from storage.types import Conn

Insert = postgresql.Insert | sqlite.Insert


def inserting(conn: Conn, table: Table) -> Insert:
    """An INSERT that can say what to do on a conflict."""
    if conn.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def among(conn: Conn, texts: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    """Whether `texts` is one of `values`: one parameter, and one plan, however many they are."""
    listed = list(values)
    if conn.dialect.name == "postgresql":
        return texts == any_(literal(listed, postgresql.ARRAY(Text)))
    each = func.json_each(json.dumps(listed)).table_valued(column("value", Text))
    return texts.in_(select(each.c.value))


def beside(conn: Conn, column: ColumnElement[str]) -> ColumnElement[str]:
    """A column to compare beside one that few rows share: SQLite is not to look rows up by it.

    It has no statistics, and would take an index that many rows share for the better one where
    that is sorted, or of more columns (https://www.sqlite.org/optoverview.html 3.1, unary "+").
    """
    if conn.dialect.name == "postgresql":
        return column
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def matching(
    conn: Conn, table: Table, asked: Mapping[str, str | None], few: Collection[str]
) -> list[ColumnElement[bool]]:
    """The columns of `table` that are `asked` for, by name; not None.

    Where one of the `few` is, which few rows share, the others are compared beside it.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    narrow = not given.keys().isdisjoint(few)
    return [
        (beside(conn, table.c[name]) if narrow and name not in few else table.c[name]) == value
        for name, value in given.items()
    ]


def text_in(conn: Conn, json_text: ColumnElement[str], name: str) -> ColumnElement[str]:
    """The text under `name` in a column of JSON; NULL where there is none."""
    if conn.dialect.name == "postgresql":
        found: ColumnElement[str] = cast(json_text, postgresql.JSON)[name].astext
        return found
    return cast(func.json_extract(json_text, f"$.{name}"), Text)


def clock(conn: Conn) -> ColumnElement[int]:
    """The database's own time, epoch seconds, rounded down; not frozen by a transaction."""
    if conn.dialect.name == "postgresql":
        return cast(func.floor(func.extract("epoch", func.clock_timestamp())), BigInteger)
    return cast(func.strftime("%s", "now"), BigInteger)
