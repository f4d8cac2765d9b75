"""What makes a node one of Tron's kind: it answers at paths, in java-tron's manners."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import msgspec
from aiohttp import web

from chains.sandbox.control import Answer, Hold, Pay
from chains.sandbox.node import Kind, Node, Take
from chains.sandbox.tron import http
from chains.sandbox.tron.chain import Mined, TronChain
from chains.sandbox.tron.methods import Methods
from chains.sandbox.tron.payments import hold, pay

TronNode = Node[TronChain, Mined]


def _orders(chain: TronChain) -> Mapping[str, Take]:
    return {
        "sandbox_pay": (Pay, partial(pay, chain)),
        "sandbox_hold": (Hold, partial(hold, chain)),
    }


def _door(node: TronNode) -> Answer:
    methods = Methods(node.chain, node.faults, node.finality_blocks)

    async def answer(request: web.Request) -> web.Response:
        path = request.path.strip("/")
        try:
            if path in node.orders and request.method == "POST":
                return _taken(node, path, await request.read())
            method = methods.answer(path)
            if method is None or request.method not in ("GET", "POST"):
                return http.unknown(request)
            params = await http.params_of(request)
            if params.visible:
                raise ValueError("this node has hex addresses only: visible must be false")
            return http.sent(method(params))
        except (ValueError, msgspec.DecodeError) as error:
            return http.refused(error)

    return answer


def _taken(node: TronNode, name: str, body: bytes) -> web.Response:
    try:
        return http.sent(node.take(name, msgspec.json.decode(body or b"{}")))
    except ValueError as error:  # said to a person, so without a node's own words
        return http.sent({"Error": str(error)})


# With 27 witnesses in turn a block is solid once 19 of them stand on or above it.
TRON_KIND = Kind(TronChain, _orders, _door, finality_blocks=19)
