"""What is our own fault, told as each face's clients expect; over HTTP, with a true database."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import text

import storage
from storage import Engine, close, open_engine
from tests.api.shop import Shop, open_shop, serve
from tests.faces.asking import SEED_BODIES, ask, face_policy, id_in, opened
from tests.faces.test_all import enveloped
from tests.postgres import run_sql
from watcher.api.compat import FACES


@pytest.mark.parametrize("face", FACES)
async def test_a_fault_of_ours_is_told_without_what_it_was(face: str, shop: Shop) -> None:
    made = await opened(face, shop)
    async with storage.write(shop.engine) as conn:
        await conn.execute(text("DROP TABLE timeline"))
    answer = await ask(face, shop, "GET", id_in(face, made))
    assert enveloped(face, answer) == 500
    assert not any(word in str(answer.body) for word in ("timeline", "Traceback", "SELECT", "sql"))


async def ask_every_face(shop: Shop) -> dict[str, list[int]]:
    """How creates and lists are answered: errors in the envelope, with when to come back."""
    statuses: dict[str, list[int]] = {}
    for face in FACES:
        answers = [
            await ask(face, shop, "POST", json=SEED_BODIES[face]),
            await ask(face, shop, "GET"),
        ]
        for answer in answers:
            if answer.status >= 400:
                assert enveloped(face, answer) == answer.status
                assert answer.headers["Retry-After"] == "5"
        statuses[face] = [answer.status for answer in answers]
    return statuses


AWAY = {face: [503, 503] for face in FACES}
THERE = {face: [200 if face in ("txcash", "payhubix") else 201, 200] for face in FACES}


@pytest.fixture
def folder(sqlite_url: str, tmp_path: Path) -> Path:
    """A folder with a database, `test.db`."""
    made = tmp_path / "data"
    made.mkdir()
    Path(sqlite_url.removeprefix("sqlite:///")).rename(made / "test.db")
    return made


async def test_every_face_says_that_sqlite_is_away(folder: Path) -> None:
    hidden = folder.with_name("hidden")
    engine, policy = open_engine(f"sqlite:///{folder / 'test.db'}"), face_policy()
    try:
        async with serve(engine, policy) as http:
            shop = await open_shop(engine, policy, http)
            await engine.dispose()  # what is open stays usable, whatever the file's name
            os.rename(folder, hidden)
            assert await ask_every_face(shop) == AWAY
            os.rename(hidden, folder)
            assert await ask_every_face(shop) == THERE
    finally:
        await close(engine)


async def test_every_face_says_that_postgresql_is_away(postgres: str, postgres_url: str) -> None:
    name = postgres_url.rpartition("?")[0].rpartition("/")[2]
    engine: Engine = open_engine(postgres_url)
    policy, run = face_policy(), asyncio.to_thread
    try:
        async with serve(engine, policy) as http:
            shop = await open_shop(engine, policy, http)
            await run(run_sql, postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            await run(run_sql, postgres, end)
            assert await ask_every_face(shop) == AWAY
            await run(run_sql, postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            assert await ask_every_face(shop) == THERE
    finally:
        await close(engine)
