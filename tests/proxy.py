"""A fault proxy: stands before a real JSON-RPC node on loopback and answers some calls wrongly."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from aiohttp import web


class Call:
    """One JSON-RPC call on its way to the node."""

    def __init__(self, proxy: Proxy, request: web.Request, body: dict[str, Any]) -> None:
        self.request, self.body = request, body
        self.method: str = body["method"]
        self.params: list[Any] = body["params"]
        self._proxy = proxy

    async def ask(self, method: str | None = None, params: list[Any] | None = None) -> Any:
        """The node's true result, of this call or of another."""
        other = {
            "method": method or self.method,
            "params": self.params if params is None else params,
        }
        answer = await self._proxy.forward({**self.body, **other})
        if "error" in answer:
            raise RuntimeError(str(answer["error"]))
        return answer["result"]

    def reply(self, **fields: Any) -> web.Response:
        """A JSON-RPC answer to this call, such as `result=None`."""
        return web.json_response({"jsonrpc": "2.0", "id": self.body["id"], **fields})


Fault = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass
class Rule:
    """When a fault is used."""

    fault: Fault
    methods: tuple[str, ...]
    """None given: every method."""
    block: int | str | None
    """Only calls whose first parameter is this block."""
    times: int | None

    def fits(self, call: Call) -> bool:
        asked = hex(self.block) if isinstance(self.block, int) else self.block
        return (
            self.times != 0
            and (not self.methods or call.method in self.methods)
            and (asked is None or call.params[:1] == [asked])
        )


class Proxy:
    """Forwards to `target`; `proxy.fail(fault, "eth_chainId", times=2)` interferes."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.calls: Counter[str] = Counter()
        """Requests that arrived, by method, refused ones too."""
        self._rules: list[Rule] = []

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    def fail(
        self, fault: Fault, *methods: str, block: int | str | None = None, times: int | None = None
    ) -> None:
        """Use `fault` for these calls, `times` times or for good; earlier rules go first."""
        self._rules.append(Rule(fault, methods, block, times))

    def heal(self) -> None:
        """Forget all faults."""
        self._rules.clear()

    async def forward(self, body: dict[str, Any]) -> dict[str, Any]:
        async with self._session.post(self.target, json=body) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = Call(self, request, json.loads(await request.read()))
        self.calls[call.method] += 1
        rule = next((rule for rule in self._rules if rule.fits(call)), None)
        if rule is None:
            return web.json_response(await self.forward(call.body))
        if rule.times is not None:
            rule.times -= 1
        return await rule.fault(call)


def status(code: int, text: str = "", **headers: str) -> Fault:
    """An HTTP status: status(429, Retry_After="7")."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def fault(call: Call) -> web.StreamResponse:
        return web.Response(status=code, text=text, headers=named)

    return fault


def body(text: str, *, code: int = 200) -> Fault:
    """A body as it stands: HTML, nothing, half of JSON."""
    return status(code, text)


def html(code: int = 200) -> Fault:
    return body("<!DOCTYPE html><html><title>Welcome</title></html>", code=code)


def result(value: object) -> Fault:
    """A well-formed answer with this result: None, [] …"""

    async def fault(call: Call) -> web.StreamResponse:
        return call.reply(result=value)

    return fault


def error(value: object, *, code: int = 200) -> Fault:
    """A JSON-RPC error, an object or a string, in an answer of any HTTP status."""

    async def fault(call: Call) -> web.StreamResponse:
        answer = call.reply(error=value)
        answer.set_status(code)
        return answer

    return fault


def alter(change: Callable[[Any], Any]) -> Fault:
    """The node's result, changed: `change` returns the new one, or None for changed in place."""

    async def fault(call: Call) -> web.StreamResponse:
        true = await call.ask()
        changed = change(true)
        return call.reply(result=true if changed is None else changed)

    return fault


def lag(blocks: int) -> Fault:
    """The newest blocks are not there yet."""

    async def fault(call: Call) -> web.StreamResponse:
        head = int(await call.ask("eth_blockNumber", []), 16) - blocks
        if call.method == "eth_blockNumber":
            return call.reply(result=hex(head))
        if call.method != "eth_getBlockByNumber":
            return call.reply(result=await call.ask())
        asked, *rest = call.params
        if asked == "latest":
            asked = hex(head)
        if asked.startswith("0x") and int(asked, 16) > head:
            return call.reply(result=None)
        return call.reply(result=await call.ask(params=[asked, *rest]))

    return fault


def delay(seconds: float) -> Fault:
    async def fault(call: Call) -> web.StreamResponse:
        true = await call.ask()
        await asyncio.sleep(seconds)
        return call.reply(result=true)

    return fault


def cut(keep: int = 40) -> Fault:
    """The connection ends within the body."""

    async def fault(call: Call) -> web.StreamResponse:
        whole = call.reply(result=await call.ask()).body
        assert isinstance(whole, bytes)
        response = web.StreamResponse(headers={"Content-Length": str(len(whole))})
        await response.prepare(call.request)
        await response.write(whole[:keep])
        assert call.request.transport is not None
        call.request.transport.close()
        return response

    return fault


def hang_up() -> Fault:
    """The connection ends before any answer, as a server's closing of a kept one looks."""

    async def fault(call: Call) -> web.StreamResponse:
        assert call.request.transport is not None
        call.request.transport.close()
        return web.Response()

    return fault


def oversized(size: int) -> Fault:
    """A well-formed answer of more than `size` bytes."""
    return result("x" * size)


def echo(code: int = 400) -> Fault:
    """Repeats the request's URL and headers, as careless gateways do."""

    async def fault(call: Call) -> web.StreamResponse:
        said = f"{call.request.url} {dict(call.request.headers)}"
        answer = call.reply(error={"code": -32000, "message": said})
        answer.set_status(code)
        return answer

    return fault
