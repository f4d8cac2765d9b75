"""A gateway before any node, JSON-RPC or Tron's HTTP, that fails by chance and on command.

`python -m tests.gateway http://127.0.0.1:8545 --seed 7` prints where it answers. At `/-/faults` of
that URL PUT sets the faults, as `tests.faults` has them, and GET tells them and how often each kind
struck. `tests.proxy` is for what one named call of an EVM node shall do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

import aiohttp
import msgspec
from aiohttp import web

from tests.faults import Change, Fault, Faults, Kind, alter

DOOR = "/-/faults"
REMEMBERED = 10_000  # answers, the oldest of which are given while stale
STRIKES = 100_000  # requests, the newest, of which is kept what befell them
JSON = "application/json"


@dataclass(frozen=True)
class Asked:
    """A request on its way to the node."""

    request: web.Request
    body: bytes
    call: dict[str, Any] | None
    """What JSON-RPC calls; None: the path says it, as on Tron."""

    @property
    def key(self) -> tuple[str, str]:
        """The same for the same question."""
        if self.call is None:
            return self.request.path_qs, self.body.decode()
        return self.request.path_qs, json.dumps([self.call["method"], self.call.get("params")])


@dataclass
class Strike:
    """A request that a fault befell."""

    fault: Fault
    path: str
    question: str
    at: float = field(default_factory=time.time)
    change: Change | None = None


@dataclass(frozen=True)
class Reply:
    """What the node said."""

    status: int
    body: bytes

    def sent(self) -> web.Response:
        return web.Response(status=self.status, body=self.body, content_type=JSON)

    def but(self, **fields: object) -> Reply:
        """The same with other fields of its envelope."""
        return replace(self, body=json.dumps({**json.loads(self.body), **fields}).encode())


class Gateway:
    """Forwards to `node`; `faults` hold from the next request on.

    Args:
        fork: the URL of a node on another branch.
        below: the path that it answers below, as providers do whose URLs hold a key.
        seed: with the same requests in the same order the same of them are struck.
    """

    def __init__(
        self,
        node: str,
        *,
        fork: str | None = None,
        seed: int = 0,
        port: int = 0,
        below: str = "",
    ) -> None:
        self.struck: Counter[Kind] = Counter()
        self.strikes: deque[Strike] = deque(maxlen=STRIKES)
        self.url = ""
        self._node, self._fork, self._port = node.rstrip("/"), (fork or "").rstrip("/"), port
        self._below, self._rng = below, random.Random(seed)
        self._faults: Faults = ()
        self._given: dict[tuple[str, str], Reply] = {}
        self._before: Reply | None = None
        self._later = asyncio.Event()
        self._ways: dict[Kind, Callable[[Asked, Strike], Awaitable[web.StreamResponse]]] = {
            "delay": self._delay,
            "busy": self._refuse(429),
            "busy_for": self._refuse(429),
            "broken": self._refuse(503),
            "html": self._html,
            "cut": self._cut,
            "wrong_id": self._wrong_id,
            "string_error": self._string_error,
            "reorder": self._reorder,
            "drop": self._drop,
            "stale": self._stale,
            "fork": self._other,
            "alter": self._alter,
        }

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        if not self._fork and any(fault.kind == "fork" for fault in faults):
            raise ValueError("there is no node on another branch")
        self._faults = faults

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        app = web.Application(client_max_size=2**24)
        app.router.add_get(DOOR, self._tell)
        app.router.add_put(DOOR, self._set)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    # The door.

    async def _tell(self, _: web.Request) -> web.Response:
        told = {"faults": self._faults, "struck": self.struck}
        return web.Response(body=msgspec.json.encode(told), content_type=JSON)

    async def _set(self, request: web.Request) -> web.Response:
        try:
            self.faults = msgspec.json.decode(await request.read(), type=Faults)
        except (msgspec.DecodeError, ValueError) as error:
            return web.Response(status=400, text=str(error))
        return await self._tell(request)

    # The way of an answer.

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = _read(request, await request.read())
        fault = next((each for each in self._faults if self._rng.random() < each.probability), None)
        if fault is None:
            return (await self._true(asked)).sent()
        strike = Strike(fault, *asked.key)
        self.struck[fault.kind] += 1
        self.strikes.append(strike)
        return await self._ways[fault.kind](asked, strike)

    async def _true(self, asked: Asked) -> Reply:
        reply = await self._ask(self._node, asked)
        if not any(fault.kind == "stale" for fault in self._faults):
            self._given[asked.key] = reply
            if len(self._given) > REMEMBERED:
                del self._given[next(iter(self._given))]
        self._before = reply
        later, self._later = self._later, asyncio.Event()
        later.set()
        return reply

    async def _ask(self, node: str, asked: Asked) -> Reply:
        request = asked.request
        url = node + request.path.removeprefix(self._below).rstrip("/")
        async with self._session.request(request.method, url, data=asked.body) as response:
            return Reply(response.status, await response.read())

    # The faults.

    async def _delay(self, asked: Asked, strike: Strike) -> web.StreamResponse:
        reply = await self._true(asked)
        await asyncio.sleep(strike.fault.seconds)
        return reply.sent()

    def _refuse(self, status: int) -> Callable[[Asked, Strike], Awaitable[web.StreamResponse]]:
        async def refuse(_: Asked, strike: Strike) -> web.StreamResponse:
            fault = strike.fault
            asks = {"Retry-After": str(round(fault.seconds))} if fault.kind == "busy_for" else {}
            return web.Response(status=status, headers=asks)

        return refuse

    async def _html(self, _: Asked, __: Strike) -> web.StreamResponse:
        return web.Response(text="<!DOCTYPE html><title>Welcome</title>", content_type="text/html")

    async def _cut(self, asked: Asked, _: Strike) -> web.StreamResponse:
        body = (await self._true(asked)).body
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(asked.request)
        await response.write(body[: len(body) // 2])
        _hang_up(asked)
        return response

    async def _wrong_id(self, asked: Asked, _: Strike) -> web.StreamResponse:
        before = self._before
        reply = await self._true(asked)
        if asked.call is not None:
            return reply.but(id="another").sent()
        return (before or reply).sent()

    async def _string_error(self, asked: Asked, _: Strike) -> web.StreamResponse:
        if asked.call is None:
            return web.json_response({"Error": "class java.lang.Exception : no"})
        return web.json_response({"jsonrpc": "2.0", "id": asked.call["id"], "error": "no"})

    async def _reorder(self, asked: Asked, strike: Strike) -> web.StreamResponse:
        reply = await self._true(asked)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._later.wait(), strike.fault.seconds)
        return reply.sent()

    async def _drop(self, asked: Asked, _: Strike) -> web.StreamResponse:
        _hang_up(asked)
        return web.Response()

    async def _stale(self, asked: Asked, _: Strike) -> web.StreamResponse:
        old = self._given.get(asked.key)
        if old is None:
            return (await self._true(asked)).sent()
        return (old if asked.call is None else old.but(id=asked.call["id"])).sent()

    async def _other(self, asked: Asked, _: Strike) -> web.StreamResponse:
        return (await self._ask(self._fork, asked)).sent()

    async def _alter(self, asked: Asked, strike: Strike) -> web.StreamResponse:
        reply = await self._true(asked)
        said = json.loads(reply.body)
        if asked.call is None:
            altered, strike.change = alter(said, self._rng)
            return replace(reply, body=json.dumps(altered).encode()).sent()
        if "result" not in said:
            return reply.sent()
        altered, strike.change = alter(said["result"], self._rng)
        return reply.but(result=altered).sent()


def _read(request: web.Request, body: bytes) -> Asked:
    said = json.loads(body or b"null")
    rpc = isinstance(said, dict) and "jsonrpc" in said and "method" in said
    return Asked(request, body, said if rpc else None)


def _hang_up(asked: Asked) -> None:
    assert asked.request.transport is not None  # the request has just come through it
    asked.request.transport.close()


async def _serve(gateway: Gateway) -> None:
    async with gateway:
        print(gateway.url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Run a gateway until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway")
    parser.add_argument("node", help="the URL to forward to")
    parser.add_argument("--fork", help="the URL of a node on another branch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    chosen = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(
            _serve(Gateway(chosen.node, fork=chosen.fork, seed=chosen.seed, port=chosen.port))
        )


if __name__ == "__main__":
    main()
