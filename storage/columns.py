"""How tables and their columns are written down."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, Table, Text
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def table(name: str, *items: SchemaItem) -> Table:
    return Table(name, metadata, *items)


def own_id() -> Column[str]:
    return Column("id", Text, primary_key=True)


def id_of(table: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    """A column that names a row of `table`s by id."""
    return Column(
        f"{table}_id",
        Text,
        ForeignKey(f"{table}s.id"),
        nullable=nullable,
        primary_key=primary_key,
    )


def key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def string(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def partial(name: str, *columns: str, where: TextClause) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)
