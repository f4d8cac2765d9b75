"""What accounts hold by the newest final state, the only one that a Tron node keeps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import msgspec

from chains.asking import occasionally, require_same
from chains.base import ChainDataError, ChainUnavailable, Holding
from chains.endpoint import Endpoint
from chains.endpoints import EndpointPool
from chains.tvm import calls
from chains.tvm.address import raw
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Address, Asset

ACCOUNT, CONSTANT = "walletsolidity/getaccount", "walletsolidity/triggerconstantcontract"
BALANCE_OF = "balanceOf(address)"
FAILED = ("CONTRACT_VALIDATE_ERROR", "CONTRACT_EXE_ERROR")
"""What a node says of a contract that is not there, or that fails; else it is the node's fault."""
WORD = re.compile("[0-9a-f]{64}")

AT_ONCE = 8  # accounts between two looks at the head, which moves on while they are read

Units = Annotated[int, msgspec.Meta(ge=0)]


class Coins(msgspec.Struct):
    """What an account holds of one TRC-10 token."""

    key: str
    """Its id."""
    value: Units = 0


class Account(msgspec.Struct, rename={"coins": "assetV2"}):
    """An account, in which protobuf leaves out what is zero or empty, though never its address."""

    address: str
    balance: Units = 0
    """TRX in sun."""
    coins: list[Coins] = []


class Outcome(msgspec.Struct):
    """How a call went."""

    result: bool = False
    code: str | None = None
    message: str | None = None
    """In hex; of a call that reverted as well, whose `result` is true."""


class Constant(msgspec.Struct):
    """What a call that changes nothing gave."""

    result: Outcome
    constant_result: list[str] = []


async def holdings(
    node: Endpoint, final: BlockRef, addresses: Sequence[Address], assets: Sequence[Asset]
) -> list[Holding]:
    """What at most `AT_ONCE` accounts hold, between the final blocks before and after.

    Raises:
        Missing: the node has not come to `final`.
        ChainUnavailable: it is on a fork without `final`.
    """
    require_same(final, await calls.block_hash(node, final.number))
    before = await calls.newest(node, calls.SOLID)
    found = await asyncio.gather(*(_units(node, address, assets) for address in addresses))
    after = await calls.newest(node, calls.SOLID)
    first, last = sorted((before.number, after.number))  # behind one URL may be several nodes
    return [
        Holding(address, asset.method, units, first, last)
        for address, held in zip(addresses, found, strict=True)
        for asset, units in zip(assets, held, strict=True)
    ]


async def repeat(
    pool: EndpointPool, held: Sequence[Holding], assets: Sequence[Asset], final: BlockRef
) -> list[frozenset[str]]:
    """Who says the same of each, in a chain with `final`; what moved since nobody repeats."""
    names: list[frozenset[str]] = []
    for start in range(0, len(held), AT_ONCE):
        few = held[start : start + AT_ONCE]
        methods = {each.method for each in few}
        read = partial(
            holdings,
            final=final,
            addresses=sorted({each.address for each in few}),
            assets=[asset for asset in assets if asset.method in methods],
        )
        said = {
            name: {(each.address, each.method): each.units for each in told}
            for name, told in (await pool.each(occasionally(read))).items()
        }
        names += [
            frozenset(
                n for n, told in said.items() if told[each.address, each.method] == each.units
            )
            for each in few
        ]
    return names


async def _units(node: Endpoint, address: Address, assets: Sequence[Asset]) -> list[int | None]:
    """What one account holds of each asset. TRX and TRC-10 are in the account itself."""
    in_account = any(asset.contract is None or asset.contract.isdigit() for asset in assets)
    account = await _account(node, address) if in_account else None
    units: list[int | None] = []
    for asset in assets:
        if asset.contract is None:
            units.append(account.balance if account else 0)
        elif asset.contract.isdigit():
            coins = account.coins if account else ()
            units.append(sum(coin.value for coin in coins if coin.key == asset.contract))
        else:
            units.append(await _token_units(node, address, asset.contract))
    return units


async def _account(node: Endpoint, address: Address) -> Account | None:
    """None: nobody ever sent it anything, so that it holds nothing."""
    asked = f"41{raw(address).hex()}"
    account = await node.call(ACCOUNT, {"address": asked}, Account)
    if account is not None and account.address != asked:
        raise ChainDataError(f"{ACCOUNT}: asked for {asked}, got {account.address:.50}")
    return account


async def _token_units(node: Endpoint, address: Address, contract: Address) -> int | None:
    """What a TRC-20 token says that an account holds; None where it does not say."""
    owner = f"41{raw(address).hex()}"
    call = {
        "owner_address": owner,
        "contract_address": f"41{raw(contract).hex()}",
        "function_selector": BALANCE_OF,
        "parameter": raw(address).hex().zfill(64),
    }
    answer = await node.call(CONSTANT, call, Constant)
    if answer is None:
        raise ChainUnavailable(f"{CONSTANT}: no answer")
    outcome = answer.result
    if outcome.code not in (None, "SUCCESS", *FAILED):
        raise ChainUnavailable(f"{CONSTANT}: {outcome.code:.50}")
    if not outcome.result or outcome.message or len(answer.constant_result) != 1:
        return None
    output = answer.constant_result[0]
    return int(output, 16) if WORD.fullmatch(output) else None
