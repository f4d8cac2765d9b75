"""Saying beside a handler what it takes and answers; the document and its page are made of that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web
from pydantic import BaseModel

from watcher.refused import Refused

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer: TypeAlias = type[BaseModel] | str | None
"""A model; the content type of what is no JSON; None for an empty body."""

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Operation:
    """What one handler takes, may refuse, and answers; a decorator that keeps it.

    The summary is the handler's docstring.
    """

    answers: Mapping[int, Answer]
    scope: str | None = None
    """What a key must be allowed; `ADMIN`: the operator's token; None: anyone may ask."""
    local: bool = False
    """Asked from this very machine, not even the operator's token is needed."""
    public: bool = False
    """Public keys may ask, too."""
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    """May be left out if no field of it is required."""
    refuses: tuple[type[Refused], ...] = ()
    asks_chain: bool = False
    """Answers 503 where no endpoint of the network does."""

    def __call__(self, handler: Handler) -> Handler:
        DESCRIBED[handler] = self
        return handler

    @property
    def takes_keys(self) -> bool:
        """Whether a merchant's key is asked for, and counted against its limit."""
        return self.scope not in (None, ADMIN)


DESCRIBED: dict[Handler, Operation] = {}
"""By handler."""
