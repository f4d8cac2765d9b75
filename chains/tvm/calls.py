"""The small typed calls of a Tron node; blocks with infos are read in `client`."""

from __future__ import annotations

import msgspec

from chains.base import ChainDataError, ChainUnavailable, EndpointRefused
from chains.endpoint import Endpoint, shaped
from chains.tvm.address import raw
from chains.tvm.messages import Head
from watcher.domain.blocks import BlockRef, Hash
from watcher.domain.money import Address, Asset

BLOCK, INFOS = "wallet/getblockbynum", "wallet/gettransactioninfobyblocknum"
NEWEST, SOLID = "wallet/getnowblock", "walletsolidity/getnowblock"
CONSTANT, ISSUED = "wallet/triggerconstantcontract", "wallet/getassetissuebyid"
DECIMALS = "decimals()"
NO_CONTRACT = "CONTRACT_VALIDATE_ERROR"
"""Also what a node answers that runs no calls for others; its words tell which."""


class Outcome(msgspec.Struct):
    """How a call ended; both are empty when it went well."""

    code: str = ""
    message: str = ""
    """Text in hex."""


class Constant(msgspec.Struct):
    """What a call that changes nothing gave."""

    result: Outcome = msgspec.field(default_factory=Outcome)
    constant_result: list[str] = []


class Issued(msgspec.Struct):
    """A TRC-10 token, as it was issued."""

    id: str
    precision: int = 0


async def block_json(node: Endpoint, number: int) -> bytes | None:
    """The block at a number; None when the node has none."""
    block = await node.raw(BLOCK, {"num": number})
    if block is not None and ref_of(block).number != number:
        raise ChainDataError(f"asked for block {number}, got block {ref_of(block).number}")
    return block


def ref_of(block: bytes) -> BlockRef:
    """Which block a node sent."""
    return shaped(BLOCK, block, Head).ref


async def block_hash(node: Endpoint, number: int) -> Hash | None:
    """The id of the block at a number; None when the node has none."""
    block = await block_json(node, number)
    return None if block is None else ref_of(block).hash


async def newest(node: Endpoint, method: str = NEWEST) -> BlockRef:
    """The node's head, or by SOLID its newest final block."""
    head = await node.call(method, {}, Head)
    if head is None:
        raise ChainUnavailable("the node has no newest block")
    return head.ref


async def genesis_hash(node: Endpoint) -> Hash:
    """Id of block 0."""
    found = await block_hash(node, 0)
    if found is None:
        raise ChainUnavailable("the node does not give block 0")
    return found


async def require_decimals(node: Endpoint, asset: Asset) -> int | None:
    """What a listed token says its decimals are; None where no token says any.

    Raises:
        ChainDataError: we say otherwise.
        EndpointRefused: this node does not serve such questions.
    """
    assert asset.contract is not None
    ask = _precision if asset.contract.isdigit() else _decimals
    said = await ask(node, asset.contract)
    if said not in (None, asset.decimals):
        raise ChainDataError(f"{said} decimals, configured {asset.decimals}")
    return said


async def _precision(node: Endpoint, token: Address) -> int | None:
    """Of a TRC-10 token, by its number."""
    issued = await node.call(ISSUED, {"value": token}, Issued)
    if issued is not None and issued.id != token:
        raise ChainDataError(f"asked for token {token}, got token {issued.id:.20}")
    return None if issued is None else issued.precision


async def _decimals(node: Endpoint, contract: Address) -> int | None:
    """Of a TRC-20 token; its standard lets it say none."""
    content = f"41{raw(contract).hex()}"
    call = {"owner_address": content, "contract_address": content, "function_selector": DECIMALS}
    answer = await node.call(CONSTANT, call, Constant)
    if answer is None:
        return None
    try:
        words = bytes.fromhex(answer.result.message).decode(errors="replace")
        if answer.result.code not in ("", NO_CONTRACT) or "not support" in words:
            raise EndpointRefused(f"{CONSTANT}: {words or answer.result.code:.200}")
        if words or not "".join(answer.constant_result):
            return None  # no contract there, or one that reverts
        return int(answer.constant_result[0], 16)
    except ValueError:
        raise ChainDataError(f"no token answers at {contract}") from None
