"""Who signed a transaction, from its own bytes: proven, whatever a node says of `from`."""

from __future__ import annotations

from coincurve import PublicKey

from chains.evm.address import of_key
from chains.evm.encoding import LEGACY, encode_unsigned, transaction_type
from chains.evm.messages import Transaction
from chains.evm.rlp import digest, number
from watcher.domain.money import Address


def signer(tx: Transaction) -> Address:
    """The address whose key signed `tx`, of a known type; ValueError where none can have.

    Costs about as much as proving the rest of the transaction ten times over.
    """
    try:
        r, s = (number(part or "").to_bytes(32, "big") for part in (tx.r, tx.s))
        signature = r + s + bytes([_parity(tx)])
        signed = digest(encode_unsigned(tx))
        key = PublicKey.from_signature_and_message(signature, signed, hasher=None)
    except Exception as error:  # coincurve raises bare ones
        raise ValueError(f"transaction {tx.hash} is signed by nobody: {error}") from None
    return of_key(key.format(compressed=False)[1:])


def require_signed(tx: Transaction) -> None:
    """Raise ValueError where another than `from` signed `tx`: the node lies of it."""
    if signer(tx) != tx.sender.lower():
        raise ValueError(f"transaction {tx.hash} was not sent by {tx.sender}")


def _parity(tx: Transaction) -> int:
    """Which of two keys it is; legacy transactions keep it in `v`, with the chain id or without."""
    if transaction_type(tx) != LEGACY:
        return number((tx.v if tx.y_parity is None else tx.y_parity) or "")
    v = number(tx.v or "")
    return (v - 35) % 2 if v >= 35 else v - 27  # EIP-155
