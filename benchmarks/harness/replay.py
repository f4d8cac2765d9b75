"""A node that replays fixed answers, in a process of its own on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection

import msgspec
from aiohttp import web

Answers = Mapping[str, bytes]
"""The JSON of a result by JSON-RPC method, or of an answer by path; before that, where there is
one, by method or path and the first parameter: `eth_getBlockByNumber 0x0`."""


@contextmanager
def replaying(answers: Answers) -> Iterator[str]:
    """The URL of a node that gives these answers; of others it says that there is no such call."""
    ours, theirs = Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs, answers), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(port: Connection, answers: Answers) -> None:
    async def answer(request: web.Request) -> web.Response:
        params = json.loads(await request.read())
        path = request.path.strip("/")
        body = _by_path(answers, path, params) if path else _by_rpc(answers, params)
        return web.Response(body=body, content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


def _by_rpc(answers: Answers, call: dict[str, object]) -> bytes:
    method, params = str(call["method"]), call["params"]
    first = params[0] if isinstance(params, list) and params else ""
    result = answers.get(f"{method} {first}", answers.get(method))
    if result is None:
        refusal = {"code": -32601, "message": f"the method {method} does not exist"}
        return msgspec.json.encode({"jsonrpc": "2.0", "id": call["id"], "error": refusal})
    return msgspec.json.encode({"jsonrpc": "2.0", "id": call["id"], "result": msgspec.Raw(result)})


def _by_path(answers: Answers, path: str, params: dict[str, object]) -> bytes:
    return answers.get(f"{path} {params.get('num')}", answers.get(path, b"{}"))
