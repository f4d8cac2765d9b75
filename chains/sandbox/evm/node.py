"""What makes a node one of an EVM network: it answers JSON-RPC."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from chains.sandbox.control import Answer, Hold, Pay
from chains.sandbox.evm.chain import EvmChain, Mined
from chains.sandbox.evm.feeds import Feed
from chains.sandbox.evm.methods import Methods
from chains.sandbox.evm.payments import feed, hold, pay
from chains.sandbox.evm.rpc import INVALID_PARAMS, Method, RpcError, Service
from chains.sandbox.node import Kind, Node, Take

EvmNode = Node[EvmChain, Mined]


def _orders(chain: EvmChain) -> Mapping[str, Take]:
    return {
        "sandbox_pay": (Pay, partial(pay, chain)),
        "sandbox_hold": (Hold, partial(hold, chain)),
        "sandbox_feed": (Feed, partial(feed, chain)),
    }


def _door(node: EvmNode) -> Answer:
    """Answers a request or a batch."""
    methods = Methods(node.chain, node.faults, node.finality_blocks).named
    service = Service({**methods, **{name: _method(node, name) for name in node.orders}})

    async def answer(request: web.Request) -> web.Response:
        said = service.answer(await request.read())
        return web.Response(body=msgspec.json.encode(said), content_type="application/json")

    return answer


def _method(node: EvmNode, name: str) -> Method:
    def take(order: Any) -> object:
        try:
            return node.take(name, order)
        except ValueError as error:  # said to a person, so without a node's own words
            raise RpcError(INVALID_PARAMS, str(error)) from error

    return take


EVM_KIND = Kind(EvmChain, _orders, _door, finality_blocks=8)
