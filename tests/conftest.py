"""Databases for tests: fresh and migrated, of both engines."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage import Engine, close, open_engine
from storage.migrate import migrate
from tests.postgres import database_url, postgres_server, run_sql


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    asyncio.run(_migrated(f"sqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite database."""
    path = tmp_path / "test.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The server of this session."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Iterator[str]:
    """The name of a migrated database to copy."""
    with _database(postgres, "template0") as (name, url):
        asyncio.run(_migrated(url))
        yield name


@pytest.fixture
def postgres_url(postgres: str, postgres_template: str) -> Iterator[str]:
    """A fresh migrated PostgreSQL database."""
    with _database(postgres, postgres_template) as (_, url):
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def db_url(request: pytest.FixtureRequest) -> str:
    """A fresh migrated database of each engine in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a table, of each engine in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with _database(request.getfixturevalue("postgres"), "template0") as (_, url):
        yield url


@pytest.fixture
async def engine(db_url: str) -> AsyncIterator[Engine]:
    """An engine on a fresh migrated database of each kind in turn."""
    opened = open_engine(db_url)
    yield opened
    await close(opened)


@contextmanager
def _database(server: str, template: str) -> Iterator[tuple[str, str]]:
    name = f"t_{uuid.uuid4().hex}"
    run_sql(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield name, database_url(server, name)
    run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _migrated(url: str) -> None:
    engine = open_engine(url)
    await migrate(engine)
    await close(engine)
