"""The small typed calls of an EVM node; blocks with receipts are read in `client`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chains.base import ChainDataError, ChainUnavailable
from chains.endpoint import Endpoint
from chains.evm.header import read_header
from chains.evm.rpc import NoSuchBlock, Reverted
from watcher.domain.blocks import BlockRef, Hash
from watcher.domain.money import Address, Asset

Quantity = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-f]{1,64}$")]
Data = Annotated[str, msgspec.Meta(pattern=r"^0x([0-9a-f]{2})*$")]
Word = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-f]{64}$")]

DECIMALS = "0x313ce567"  # decimals(), ERC-20
HEADER = "eth_getBlockByNumber"


class Named(msgspec.Struct, gc=False):
    """Which block an answer is about."""

    number: Quantity
    hash: Word
    transactions: list[msgspec.Raw]
    block_access_list_hash: str | None = msgspec.field(name="blockAccessListHash", default=None)


async def block_ref(node: Endpoint, block: int | str) -> BlockRef | None:
    """The block at a number or tag; None when the node has none, in either way of saying so.

    Its hash is recomputed from its header: what a node makes up is at least a header's hash.
    """
    asked = hex(block) if isinstance(block, int) else block
    try:
        header = await node.raw(HEADER, [asked, False])
    except NoSuchBlock:
        return None
    if header is None:
        return None
    ref = read_header(header)
    if isinstance(block, int):
        require_number(ref.number, block)
    return ref


async def newest(node: Endpoint) -> BlockRef:
    """The node's head."""
    ref = await block_ref(node, "latest")
    if ref is None:
        raise ChainUnavailable("the node has no newest block")
    return ref


async def genesis_hash(node: Endpoint) -> Hash:
    """Hash of block 0."""
    ref = await block_ref(node, 0)
    if ref is None:
        raise ChainUnavailable("the node does not give block 0")
    return ref.hash


async def chain_id(node: Endpoint) -> int:
    """EIP-695."""
    answer = await node.call("eth_chainId", [], Quantity)
    if answer is None:
        raise ChainUnavailable("the node does not say its chain id")
    return int(answer, 16)


async def decimals(node: Endpoint, contract: Address) -> int | None:
    """What a token says its decimals are; None where no contract says any: ERC-20 lets it."""
    call = {"to": contract, "data": DECIMALS}
    try:
        answer = await node.call("eth_call", [call, "latest"], str)
    except Reverted:
        return None
    if answer in (None, "0x"):
        return None
    try:
        return int(answer, 16)
    except ValueError:
        raise ChainDataError(f"no token answers at {contract}") from None


async def require_decimals(node: Endpoint, asset: Asset) -> int | None:
    """What a listed token says its decimals are; raises ChainDataError where we say otherwise."""
    assert asset.contract is not None
    said = await decimals(node, asset.contract)
    if said not in (None, asset.decimals):
        raise ChainDataError(f"{said} decimals, configured {asset.decimals}")
    return said


def require_number(given: int, asked: int) -> None:
    """Raise ChainDataError unless this is the block that was asked for."""
    if given != asked:
        raise ChainDataError(f"asked for block {asked}, got block {given}")
