"""A java-tron node that replays recorded answers on loopback, and can lie, refuse and fork."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

Json = Any
BLOCK, INFOS = "wallet/getblockbynum", "wallet/gettransactioninfobyblocknum"
NEWEST, SOLID = "wallet/getnowblock", "walletsolidity/getnowblock"


@dataclass(frozen=True)
class Call:
    """One request on its way to the node."""

    node: JavaTron
    request: web.Request
    method: str
    params: Json

    def true(self) -> Json:
        """What the node would answer."""
        return self.node.answer(self.method, self.params)


Fault = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass
class Rule:
    """When a fault is used."""

    fault: Fault
    methods: tuple[str, ...]
    """None given: every method."""
    number: int | None
    times: int | None

    def fits(self, call: Call) -> bool:
        return (
            self.times != 0
            and (not self.methods or call.method in self.methods)
            and (self.number is None or call.params.get("num") == self.number)
        )


class JavaTron:
    """Serves blocks and their infos; its head and its solid block are settable numbers."""

    def __init__(self, blocks: Sequence[Json], infos: Sequence[Json]) -> None:
        self.calls: Counter[str] = Counter()
        """Requests that arrived, by method, refused ones too."""
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answers: dict[str, Json] = {}
        """Answers of other methods."""
        self._rules: list[Rule] = []
        self.play(blocks, infos)

    def play(self, blocks: Sequence[Json], infos: Sequence[Json]) -> None:
        """Follow this chain from now on, up to its last block; all but 18 blocks are solid."""
        numbers = [block["block_header"]["raw_data"].get("number", 0) for block in blocks]
        self.blocks = dict(zip(numbers, blocks, strict=True))
        self.infos = dict(zip(numbers, infos, strict=True))
        self.head = max(numbers)
        self.solid = max(min(numbers), self.head - 18)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def fail(
        self, fault: Fault, *methods: str, number: int | None = None, times: int | None = None
    ) -> None:
        """Use `fault` for these calls, `times` times or for good; earlier rules go first."""
        self._rules.append(Rule(fault, methods, number, times))

    def heal(self) -> None:
        """Forget all faults."""
        self._rules.clear()

    def answer(self, method: str, params: Json) -> Json:
        """The true answer; nothing above the head is known."""
        match method:
            case "wallet/getblockbynum":
                return self._known(self.blocks, params["num"], {})
            case "wallet/gettransactioninfobyblocknum":
                return self._known(self.infos, params["num"], [])
            case "wallet/getnowblock":
                return self.blocks[self.head]
            case "walletsolidity/getnowblock":
                return self.blocks[self.solid]
        return self.answers.get(method, {})

    def _known(self, rows: dict[int, Json], number: int, absent: Json) -> Json:
        return rows.get(number, absent) if number <= self.head else absent

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = "/".join(request.path.split("/")[-2:])
        call = Call(self, request, method, json.loads(await request.read()))
        self.calls[method] += 1
        self.paths.append(request.path_qs)
        self.headers.append(dict(request.headers))
        rule = next((rule for rule in self._rules if rule.fits(call)), None)
        if rule is None:
            return web.json_response(call.true())
        if rule.times is not None:
            rule.times -= 1
        return await rule.fault(call)


def says(content: Json, *, code: int = 200, **headers: str) -> Fault:
    """An answer as it stands: text, or what becomes JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def fault(call: Call) -> web.StreamResponse:
        return web.Response(status=code, text=text, headers=named)

    return fault


def alter(change: Callable[[Json], object]) -> Fault:
    """The true answer, changed in a copy, in place."""

    async def fault(call: Call) -> web.StreamResponse:
        true = json.loads(json.dumps(call.true()))
        change(true)
        return web.json_response(true)

    return fault


def hang_up() -> Fault:
    """The connection ends before any answer."""

    async def fault(call: Call) -> web.StreamResponse:
        assert call.request.transport is not None
        call.request.transport.close()
        return web.Response()

    return fault


def then(act: Callable[[JavaTron], object]) -> Fault:
    """The true answer; after it has been formed, `act` changes the node."""

    async def fault(call: Call) -> web.StreamResponse:
        true = call.true()
        act(call.node)
        return web.json_response(true)

    return fault


def echo(code: int = 200) -> Fault:
    """Repeats the request's URL and headers, as careless gateways do."""

    async def fault(call: Call) -> web.StreamResponse:
        said = f"{call.request.url} {dict(call.request.headers)}"
        return web.json_response({"Error": said}, status=code)

    return fault
