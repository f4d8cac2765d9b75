"""Polygon's state-sync transactions: how money comes over its bridge (chains.md 3.4).

Since PIP-74 such a transaction is real: the last of its block, of type 0x7f, its receipt under the
receiptsRoot. Before, nodes made one up and showed it beside the others, its receipt under no root.
The two are told apart by what they are and never by the block's number, which differs by network:
only a made-up one bears a hash that follows from its block's, and to make one up gains nothing.
"""

from __future__ import annotations

from chains.evm.messages import Block, Receipt
from chains.evm.rlp import hashed, number

STATE_SYNC = 0x7F
_MADE_UP = b"matic-bor-receipt-"


def take_off_made_up(block: Block, receipts: list[Receipt]) -> Receipt | None:
    """Remove what the node made up from both lists; its receipt, where the node shows one.

    Nodes differ in whether they show it as a transaction, a receipt, or both.
    """
    height = number(block.number).to_bytes(8, "big")
    its_hash = f"0x{hashed(_MADE_UP + height + bytes.fromhex(block.hash[2:]))}"
    if block.transactions and block.transactions[-1].hash == its_hash:
        block.transactions.pop()
    if receipts and receipts[-1].transaction_hash == its_hash:
        return receipts.pop()
    return None
