"""A chain on disk: a SQLite file of its own, so that a restart continues the chain.

What only waits for the next block is not kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from chains.sandbox.chain import Chain, Counters, Json, Mined
from chains.sandbox.state import State

FORMAT = 2
"""Rises with every change of what a block or a number is stored as."""

# WAL without a sync at each commit: a power cut may lose the newest blocks, never the file.
_TABLES = """
pragma journal_mode = wal;
pragma synchronous = normal;
create table if not exists facts (name text primary key, value text not null) strict;
create table if not exists blocks
    (number integer primary key, hash text not null, content text not null) strict;
create table if not exists state (key text primary key, value text not null) strict;
"""

M = TypeVar("M", bound=Mined)


class ChainFile:
    """One chain's file. `load` once, then `save` after each change.

    Args:
        chain: which chain it keeps.
    """

    def __init__(self, path: Path, chain: str) -> None:
        self._holds = f"{chain} in format {FORMAT}"
        self._connection = sqlite3.connect(path)
        self._connection.executescript(_TABLES)

    def load(self, revive: Callable[[Json], M]) -> tuple[list[M], State, Counters] | None:
        """The chain as it was last saved; None where there is none yet.

        Raises:
            ValueError: the file holds another network's chain, or one of another version.
        """
        facts = dict(self._connection.execute("select name, value from facts"))
        if not facts:
            return None
        held = facts.get("holds", "an older version's chain")
        if held != self._holds:
            raise ValueError(
                f"the sandbox's file has {held}, not {self._holds}: remove the sandbox's folder"
            )
        rows = self._connection.execute("select content from blocks order by number")
        blocks = [revive(json.loads(content)) for (content,) in rows]
        numbers = self._connection.execute("select key, value from state")
        state = State({key: int(value) for key, value in numbers})
        return blocks, state, Counters(**json.loads(facts["counters"]))

    def save(self, chain: Chain[Any, Any]) -> None:
        """Write what changed since the file was loaded or saved."""
        facts = [("holds", self._holds), ("counters", json.dumps(asdict(chain.counters)))]
        state = [(key, str(value)) for key, value in chain.state.take_unsaved().items()]
        blocks = takewhile(self._lacks, reversed(chain.blocks))
        rows = [(mined.number, mined.hash, _content(mined)) for mined in blocks]
        with self._connection as transaction:
            transaction.executemany("insert or replace into facts values (?, ?)", facts)
            transaction.executemany("insert or replace into state values (?, ?)", state)
            transaction.executemany("insert or replace into blocks values (?, ?, ?)", rows)
            transaction.execute(
                "delete from blocks where number > ? or (number > 0 and number < ?)",
                (chain.head.number, chain.oldest),
            )

    def _lacks(self, mined: Mined) -> bool:
        query = "select 1 from blocks where number = ? and hash = ?"
        return self._connection.execute(query, (mined.number, mined.hash)).fetchone() is None

    def close(self) -> None:
        self._connection.close()


def _content(mined: Any) -> str:
    return json.dumps(asdict(mined), separators=(",", ":"))
