"""The small typed calls of a Tron node; blocks with infos are read in `client`."""

from __future__ import annotations

import msgspec

from chains.base import ChainDataError, ChainUnavailable
from chains.endpoints import Endpoint, shaped
from chains.tvm.address import raw
from chains.tvm.messages import Head
from watcher.domain.blocks import BlockRef, Hash
from watcher.domain.money import Address

BLOCK, INFOS = "wallet/getblockbynum", "wallet/gettransactioninfobyblocknum"
NEWEST, SOLID = "wallet/getnowblock", "walletsolidity/getnowblock"
DECIMALS = "decimals()"


class Key(msgspec.Struct):
    """Who may sign for a permission."""

    address: str


class Permission(msgspec.Struct):
    """What an account allows others."""

    keys: list[Key] = []


class Account(msgspec.Struct):
    """An account's own permissions."""

    witness_permission: Permission | None = None


class Constant(msgspec.Struct):
    """What a call that changes nothing gave."""

    constant_result: list[str] = []


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


async def witness_keys(node: Endpoint, witness: Address) -> list[str]:
    """Who may sign blocks for a witness, as the node sends addresses; usually only itself."""
    account = await node.call("wallet/getaccount", {"address": f"41{raw(witness).hex()}"}, Account)
    permission = None if account is None else account.witness_permission
    return [] if permission is None else [key.address for key in permission.keys]


async def decimals(node: Endpoint, contract: Address) -> int:
    """What a TRC-20 token says its decimals are."""
    content = f"41{raw(contract).hex()}"
    call = {"owner_address": content, "contract_address": content, "function_selector": DECIMALS}
    answer = await node.call("wallet/triggerconstantcontract", call, Constant)
    try:
        return int((answer or Constant()).constant_result[0], 16)
    except (IndexError, ValueError):
        raise ChainDataError(f"no token answers at {contract}") from None
