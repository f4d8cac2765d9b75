"""From a difference to a finding: its last block, and whether the address can act by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

import storage
from chains.base import ChainClient, ChainError, Holding
from storage import Engine
from watcher import clock
from watcher.domain.audit import Difference, Finding, FindingKind, FindingState
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Address, Network

Place = tuple[Address, int]
"""An address after a block."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What only nodes know of some differences."""

    blocks: Mapping[int, BlockRef]
    """The last block of each: a surplus may become a deposit in it."""
    codes: Mapping[Place, bool]
    """Whether code stood where something is missing; nothing where nobody could say."""

    def finding(self, network: Network, holding: Holding, difference: Difference) -> Finding:
        """What to store; open where a person should look.

        An owner may take out what is his. But an address with code acts without him: what came may
        have left in the same transaction, and whatever leaves needs a look.
        """
        ref, now = self.blocks.get(difference.last), clock.now()
        has_code = self.codes.get((holding.address, difference.last))
        noted = difference.kind is FindingKind.OUTGOING and not has_code
        return Finding(
            id=clock.new_id("fnd"),
            network=network,
            address=holding.address,
            method=holding.method,
            kind=difference.kind,
            units=difference.units,
            first=difference.first,
            last=difference.last,
            block_hash=ref.hash if ref else None,
            block_time=ref.timestamp if ref else None,
            state=FindingState.NOTED if noted else FindingState.OPEN,
            found_at=now,
            closed_at=now if noted else None,
            has_code=has_code,
        )


async def circumstances(
    engine: Engine,
    client: ChainClient,
    network: Network,
    final: BlockRef,
    differences: Iterable[tuple[Holding, Difference]],
) -> Circumstances:
    """Ask for what `Circumstances` holds; `final` is the block at which balances were compared."""
    all = list(differences)
    blocks: dict[int, BlockRef] = {}
    for number in {each.last for _, each in all}:
        async with storage.read(engine) as conn:
            ref = await storage.blocks.at(conn, network, number)
        if ref is None and (block := await client.block(number)) is not None:
            ref = block.ref
        if ref is not None:
            blocks[number] = ref
    codes: dict[Place, bool] = {}
    short = {(h.address, d.last) for h, d in all if d.kind is not FindingKind.SURPLUS}
    for address, number in sorted(short):
        try:
            has_code = await client.has_code(address, final, number)
        except ChainError as error:
            log.debug("no code", network=network, number=number, reason=str(error))
            continue
        if has_code is not None:
            codes[address, number] = has_code
    return Circumstances(blocks, codes)
