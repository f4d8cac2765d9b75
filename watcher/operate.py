"""The operator's tools: doctor and backup."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from chains.base import ChainClient, ChainError
from watcher.domain.money import Network
from watcher.policy import Policy
from watcher.refused import AlreadyThere, Refused
from watcher.status import network_warnings

PAGES_AT_ONCE = 1000  # a copy step holds the file for that long, then lets writers in


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's table."""

    where: str
    check: str
    ok: bool | None
    """None: a warning, nothing that loses deposits by itself."""
    detail: str


async def examine(policy: Policy, clients: Mapping[Network, ChainClient]) -> list[Finding]:
    """Ask every endpoint of every network what it can do."""
    findings: list[Finding] = []
    for name, client in clients.items():
        try:
            found = await client.capabilities()
        except ChainError as error:
            findings.append(Finding(name, "endpoints", False, str(error)))
            continue
        findings += [
            Finding(
                f"{name}/{each.endpoint}",
                each.check,
                each.ok or (None if each.check == "traces" else False),
                each.detail,
            )
            for each in found
        ]
        findings += [
            Finding(name, "warning", None, warning)
            for warning in network_warnings(policy.networks[name])
        ]
    return findings


async def backup(database_url: str, target: Path) -> None:
    """Write a consistent copy of a SQLite database while others use it.

    Raises:
        AlreadyThere: the target exists; nothing is overwritten.
        Refused: the database is PostgreSQL; the message says what to run.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        where = url.set(password=None).render_as_string(hide_password=False)
        raise Refused(f"use: pg_dump --format=custom --file={target} '{where}'")
    await asyncio.to_thread(_copy, str(url.database), target)


def _copy(source: str, target: Path) -> None:
    if target.exists():
        raise AlreadyThere(f"{target} exists; a backup never overwrites")
    if not Path(source).exists():
        raise Refused(f"there is no database at {source}")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    origin, copy = sqlite3.connect(source), sqlite3.connect(part)
    try:
        origin.backup(copy, pages=PAGES_AT_ONCE)
    finally:
        copy.close()
        origin.close()
    part.chmod(0o600)
    part.rename(target)
