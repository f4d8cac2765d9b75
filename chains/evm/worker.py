"""Where a client reads its blocks: in the process that all clients share, or in this very one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chains.evm.blocks import Listing, Reading, read_block
from chains.evm.traces import Traces
from chains.worker import SHARED

Read = Callable[[bytes, bytes, Listing, Traces | None], Awaitable[Reading]]
"""(block JSON, receipts JSON, what is listed, traces) -> what `read_block` gives."""


async def read_apart(
    block: bytes, receipts: bytes, listing: Listing, traces: Traces | None
) -> Reading:
    """Read in the shared worker process."""
    return await SHARED.run(read_block, block, receipts, listing, traces)


async def read_here(
    block: bytes, receipts: bytes, listing: Listing, traces: Traces | None
) -> Reading:
    """Read in this very process."""
    return read_block(block, receipts, listing, traces)
