"""The chain on disk: a SQLite file of its own, so that a restart continues the chain.

What only waits for the next block is not kept.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path

from chains.sandbox.evm.chain import KEPT_BLOCKS, Counters, EvmChain, Mined
from chains.sandbox.evm.flavour import Flavour
from chains.sandbox.evm.orders import Signed
from chains.sandbox.evm.polygon import Message
from chains.sandbox.evm.state import State

FORMAT = 1
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


class ChainFile:
    """One chain's file. `load` once, then `save` after each change."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.executescript(_TABLES)

    def load(self, flavour: Flavour, *, kept_blocks: int = KEPT_BLOCKS) -> EvmChain | None:
        """The chain as it was last saved; None where there is none yet.

        Raises:
            ValueError: the file holds another network's chain, or one of another version.
        """
        facts = dict(self._connection.execute("select name, value from facts"))
        if not facts:
            return None
        holds = _holds(flavour)
        if facts["holds"] != holds:
            raise ValueError(f"the sandbox's file has {facts['holds']}, not {holds}: remove it")
        rows = self._connection.execute("select content from blocks order by number")
        blocks = [_mined(content) for (content,) in rows]
        numbers = self._connection.execute("select key, value from state")
        state = State({key: int(value) for key, value in numbers})
        counters = Counters(**json.loads(facts["counters"]))
        return EvmChain(flavour, blocks, state, counters, kept_blocks=kept_blocks)

    def save(self, chain: EvmChain) -> None:
        """Write what changed since the file was loaded or saved."""
        counters = json.dumps(asdict(chain.counters))
        facts = [("holds", _holds(chain.flavour)), ("counters", counters)]
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


def _holds(flavour: Flavour) -> str:
    return f"{flavour.name} {flavour.chain_id} in format {FORMAT}"


def _content(mined: Mined) -> str:
    return json.dumps(asdict(mined), separators=(",", ":"))


def _mined(content: str) -> Mined:
    fields = json.loads(content)
    fields["sent"] = tuple(Signed(**tx) for tx in fields["sent"])
    fields["messages"] = tuple(Message(**message) for message in fields["messages"])
    return Mined(**fields)
