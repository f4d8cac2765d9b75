"""The sandbox's own explorer: what the embedded node says of a transaction, as it says it."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from chains.base import NetworkSpec
from watcher.api.context import NODES, POLICY
from watcher.domain.money import Network
from watcher.sandbox import Node, NodeAway, NodeRefused, ask_node
from watcher.web.pages import as_page
from watcher.web.pages import show as show_page

routes = web.RouteTableDef()

Question = tuple[str, object]
"""A method or path of the node, and its parameters."""
Questions = dict[str, Callable[[str], list[Question]]]

LONGEST_NUMBER = 15  # digits; int() of more is work, and no block has them
EVM: Questions = {
    "transaction": lambda id: [
        ("eth_getTransactionByHash", [id]),
        ("eth_getTransactionReceipt", [id]),
    ],
    "block": lambda id: [("eth_getBlockByNumber", [hex(int(id)), True])],
    "address": lambda id: [("eth_getBalance", [id, "latest"])],
}
TRON: Questions = {
    "transaction": lambda id: [
        ("wallet/gettransactionbyid", {"value": id}),
        ("wallet/gettransactioninfobyid", {"value": id}),
    ],
    "block": lambda id: [("wallet/getblockbynum", {"num": int(id)})],
    "address": lambda id: [("wallet/getaccount", {"address": id})],
}


@routes.get("/sandbox/{network}/{kind:transaction|block|address}/{id}")
@as_page
async def show(request: web.Request) -> web.Response:
    """A page with the node's answers."""
    network, kind, id = (request.match_info[name] for name in ("network", "kind", "id"))
    node = request.app[NODES].get(Network(network))
    if node is None:
        return _page(request, 404, "There is no such network in this sandbox.")
    spec = request.app[POLICY].networks[node.network].spec
    try:
        answers = await _look_up(node, spec, kind, id)
    except NodeAway as error:
        return _page(request, 503, error.sentence)
    if not answers:
        return _page(request, 404, f"The embedded {spec.title} node knows of no such {kind}.")
    return _page(request, 200, None, answers)


async def _look_up(node: Node, spec: NetworkSpec, kind: str, id: str) -> dict[str, object]:
    """The answers by method; none where there is no such thing or it cannot be one."""
    if kind == "block" and not (id.isascii() and id.isdigit() and len(id) <= LONGEST_NUMBER):
        return {}
    try:
        asked = spec.codec.show(spec.codec.parse(id)) if kind == "address" else id
        questions = (EVM if node.family == "evm" else TRON)[kind](asked)
        answers = {name: await ask_node(node, name, params) for name, params in questions}
    except NodeAway:
        raise
    except (NodeRefused, ValueError):  # the node, or the codec, cannot read it
        return {}
    return {name: answer for name, answer in answers.items() if answer}


def _page(
    request: web.Request,
    status: int,
    sentence: str | None,
    answers: dict[str, object] | None = None,
) -> web.Response:
    facts = {"sentence": sentence, "answers": answers or {}, **request.match_info}
    return show_page(request, "explorer.html", status, **facts)
