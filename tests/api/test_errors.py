"""Every failure is a problem that names itself, and tells nothing that it should not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

import storage
from storage import Engine, close, open_engine
from tests.api.shop import ADMIN, Shop, make_policy, open_shop, serve
from tests.postgres import run_sql


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/invoices/", "/administrator", "/%00"])
async def test_an_unknown_path_is_not_found(shop: Shop, path: str) -> None:
    answer = await shop.get(path)
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/invoices", {"GET", "HEAD", "POST"}),
        ("PUT", "/v1/invoices/inv_1", {"GET", "HEAD"}),
        ("GET", "/v1/invoices/inv_1/select", {"POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    shop: Shop, method: str, path: str, allowed: set[str]
) -> None:
    answer = await shop.ask(method, path)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(",")) == allowed


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/v1/invoices", None, 200),
        ("/v1/deposits", None, 200),
        ("/v1/invoices/inv_1", None, 404),
        ("/admin/status", ADMIN, 200),
        ("/healthz", "", 200),
        ("/v1/invoices", "", 401),
    ],
)
async def test_head_answers_as_get_without_a_body(
    shop: Shop, path: str, token: str | None, status: int
) -> None:
    answer = await shop.ask("HEAD", path, token)
    assert (answer.status, answer.body) == (status, None)


async def test_each_problem_has_an_id_of_its_own(shop: Shop) -> None:
    ids = {(await shop.get("/nothing")).body["request_id"] for _ in range(3)}
    assert len(ids) == 3


async def test_our_own_fault_is_logged_and_not_told(shop: Shop) -> None:
    made = await shop.create()
    async with storage.write(shop.engine) as conn:
        await conn.execute(text("DROP TABLE timeline"))
    with capture_logs() as logs:
        answer = await shop.get(f"/v1/invoices/{made['id']}")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert not any(word in str(answer.body) for word in ("timeline", "Traceback", "SELECT", "sql"))
    [line] = [each for each in logs if each["log_level"] == "error"]
    assert line["request_id"] == answer.body["request_id"]
    assert (await shop.get("/healthz")).status == 200


async def test_what_fails_at_the_end_is_no_success(shop: Shop) -> None:
    async with storage.write(shop.engine) as conn:
        await conn.execute(text("ALTER TABLE events RENAME TO gone"))
    answer = await shop.post("/v1/invoices", {"price": {"amount": "1", "currency": "USD"}})
    assert answer.status == 500
    assert (await shop.get("/v1/invoices")).body["data"] == []


async def ask_everything(shop: Shop) -> list[int]:
    answers = [
        await shop.get("/v1/invoices"),
        await shop.post("/v1/invoices", {"price": {"amount": "1", "currency": "USD"}}),
        await shop.get("/admin/status", ADMIN),
    ]
    for answer in answers:
        if answer.status == 503:
            assert answer.code == "unavailable"
            assert answer.headers["Retry-After"] == "5"
    ready = await shop.get("/readyz", "")
    if ready.status == 503:
        assert ready.body == {"ready": False, "reasons": ["the database is away"]}
    async with shop.http.get("/metrics") as metrics:
        up = float(ready.status == 200)
        assert f"deposit_watcher_database_up {up}" in await metrics.text()
    return [*(answer.status for answer in answers), ready.status]


@pytest.fixture
def folder(sqlite_url: str, tmp_path: Path) -> Path:
    """A folder with a database, `test.db`."""
    made = tmp_path / "data"
    made.mkdir()
    Path(sqlite_url.removeprefix("sqlite:///")).rename(made / "test.db")
    return made


async def test_sqlite_may_go_away_and_come_back(folder: Path) -> None:
    hidden = folder.with_name("hidden")
    engine = open_engine(f"sqlite:///{folder / 'test.db'}")
    try:
        async with serve(engine, make_policy()) as http:
            shop = await open_shop(engine, make_policy(), http)
            await engine.dispose()  # what is open stays usable, whatever the file's name
            os.rename(folder, hidden)
            assert await ask_everything(shop) == [503] * 4
            assert (await shop.get("/healthz", "")).status == 200
            os.rename(hidden, folder)
            assert await ask_everything(shop) == [200, 201, 200, 200]
    finally:
        await close(engine)


async def test_postgresql_may_go_away_and_come_back(postgres: str, postgres_url: str) -> None:
    name = postgres_url.rpartition("?")[0].rpartition("/")[2]
    engine: Engine = open_engine(postgres_url)
    try:
        async with serve(engine, make_policy()) as http:
            shop = await open_shop(engine, make_policy(), http)
            run = asyncio.to_thread
            await run(run_sql, postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            await run(run_sql, postgres, end)
            assert await ask_everything(shop) == [503] * 4
            assert (await shop.get("/healthz", "")).status == 200
            await run(run_sql, postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            assert await ask_everything(shop) == [200, 201, 200, 200]
    finally:
        await close(engine)
