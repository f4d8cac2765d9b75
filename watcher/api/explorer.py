"""The sandbox's own explorer: what the embedded node says of a transaction, as it says it."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping

import aiohttp
from aiohttp import web

from watcher.api.context import NODES, POLICY
from watcher.api.errors import Problem
from watcher.domain.money import Network

routes = web.RouteTableDef()

EVM = {
    "transaction": ("eth_getTransactionByHash", "eth_getTransactionReceipt"),
    "block": ("eth_getBlockByNumber",),
    "address": ("eth_getBalance",),
}
TRON = {
    "transaction": ("wallet/gettransactionbyid", "wallet/gettransactioninfobyid"),
    "block": ("wallet/getblockbynum",),
    "address": ("wallet/getaccount",),
}
SECONDS = 10
STYLE = "body{font:15px system-ui;margin:2rem;max-width:70rem}pre{white-space:pre-wrap}"


@routes.get("/sandbox/{network}/{kind:transaction|block|address}/{id}")
async def show(request: web.Request) -> web.Response:
    """A page with the node's answers."""
    nodes: Mapping[Network, str] = request.app[NODES]
    network = Network(request.match_info["network"])
    if network not in nodes:
        raise Problem(404, "there is no such network in this sandbox")
    family = request.app[POLICY].networks[network].spec.family
    kind, asked = request.match_info["kind"], request.match_info["id"]
    title = html.escape(f"{network} {kind} {asked}")
    parts = []
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for method in (EVM if family == "evm" else TRON)[kind]:
            try:
                answer = await _ask(session, nodes[network], family, method, asked)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise Problem(503, "the embedded node does not answer") from error
            shown = html.escape(json.dumps(answer, indent=2))
            parts.append(f"<h2>{html.escape(method)}</h2><pre>{shown}</pre>")
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{STYLE}</style><h1>{title}</h1>"
        f"<p>A sandbox: nothing here is real.</p>{''.join(parts)}"
    )
    return web.Response(text=page, content_type="text/html")


async def _ask(
    session: aiohttp.ClientSession, url: str, family: str, method: str, asked: str
) -> object:
    if family != "evm":
        key = "num" if "block" in method else "address" if "account" in method else "value"
        value: object = int(asked) if key == "num" else asked
        async with session.post(f"{url.rstrip('/')}/{method}", json={key: value}) as response:
            return await response.json(content_type=None)
    params: list[object] = [asked]
    if method == "eth_getBlockByNumber":
        params = [hex(int(asked)), True]
    elif method == "eth_getBalance":
        params = [asked, "latest"]
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with session.post(url, json=body) as response:
        return (await response.json(content_type=None)).get("result")
