"""Phrases of SQL that SQLite and PostgreSQL spell differently."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Table,
    Text,
    any_,
    cast,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

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
