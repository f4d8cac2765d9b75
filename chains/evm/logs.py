"""What logs say of payments: a token's Transfer, and Polygon's LogTransfer of its coin.

`ignored` says why a log in a proven receipt concerns nobody. The others judge one that does: a
payment, or something that looks like one and is none.
"""

from __future__ import annotations

from collections.abc import Container

from chains.base import Refusal
from chains.evm.encoding import KNOWN_TYPES, transaction_type
from chains.evm.messages import Log, Receipt, Transaction
from chains.evm.rlp import number
from watcher.domain.blocks import Hash, Transfer
from watcher.domain.money import Address, Method

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak("Transfer(address,address,uint256)")"""
LOG_TRANSFER = "0xe6497e3ee548a3372136af2fcb0696db31fc6cf20260707645068bd3fe97f3c4"
"""keccak of LogTransfer: token, from, to; amount, both balances before, both after."""
APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
"""keccak("Approval(address,address,uint256)")"""
LOG_FEE_TRANSFER = "0x4dfe1bbbcf077ddc3e01291eea2d5c70c2b422b415d95645b9adcfd678cb1d63"
"""keccak of LogFeeTransfer, with the fields of LogTransfer."""

SUCCESS = "0x1"
ITSELF = "pays itself"
"""Why a transfer from an address to itself is none: it changes no balance."""
OTHER_EVENTS = {
    APPROVAL: "Approval, which moves nothing",
    LOG_FEE_TRANSFER: "fee log",
    LOG_TRANSFER: "not the coin's own contract",
}
_WORD = 64  # digits
_AMOUNT = len("0x") + _WORD
_RECEIVER = {TRANSFER: 2, LOG_TRANSFER: 3}
"""Which topic of an event is who gets the money."""
_NO_HIGH_BYTES = "0x" + 24 * "0"  # above an address in a word of 32 bytes


def ignored(
    receipt: Receipt, index: int, tokens: Container[Address], coin: Address | None
) -> str | None:
    """Why a log is nobody's payment, without a look at what it says; None: it is to be judged.

    `coin` is in whose name the chain logs every move of its coin, where it does. Its contract adds
    logs of its own: `transfer(to, units)` gives four, the chain's, from the payer to the contract;
    the chain's, on to the payee; the contract's Transfer and at once its LogTransfer, from the
    payer to the payee. The second one is the payment. The last one names another token, but where
    it does not, it is known by the Transfer just before it, which no log of the chain ever
    follows: the contract moves nothing between these two.
    """
    log = receipt.logs[index]
    if not log.topics:
        return "no event"
    if log.topics[0] == TRANSFER:
        return None if canonical(log.address) in tokens else "asset is not listed"
    if log.topics[0] != LOG_TRANSFER or coin is None or canonical(log.address) != coin:
        return OTHER_EVENTS.get(log.topics[0], "another event than a transfer")
    if log.topics[1:2] != [as_word(coin)]:
        return "names another token than the coin"
    return "repeats the chain's own log" if _repeats(receipt, index, coin) else None


def token_transfer(
    tx: Transaction, receipt: Receipt, index: int, method: Method
) -> Transfer | Refusal:
    """What a Transfer log of a listed contract says."""
    log = receipt.logs[index]
    reason = _failure(receipt) or _flaw(log, topics=3, words=1)
    if reason is not None:
        return refusal(tx.hash, index, log, reason)
    sender, to = map(_of_topic, log.topics[1:])
    units = int(log.data, 16)
    return Transfer(tx_hash(tx.hash), f"log/{index}", method, sender, to, units)


def coin_transfer(
    tx: Transaction, receipt: Receipt, index: int, coin: Address, method: Method
) -> Transfer | Refusal:
    """What a LogTransfer in the name of `coin` says."""
    log = receipt.logs[index]
    reason = _failure(receipt) or _flaw(log, topics=4, words=5)
    if reason is not None:
        return refusal(tx.hash, index, log, reason)
    sender, to = map(_of_topic, log.topics[2:])
    if sender == coin:  # passed on by the contract, or minted for a bridge deposit
        sender = canonical(tx.sender)
    units = int(log.data[:_AMOUNT], 16)
    return Transfer(tx_hash(tx.hash), f"log/{index}", method, sender, to, units)


def require_value_logged(tx: Transaction, receipt: Receipt, coin: Address) -> None:
    """Raise ValueError where a transaction moved its value and its logs do not say so.

    Receipts are proven, so one of both is not true: a value that the node made up in a block whose
    transactionsRoot nobody can recompute, or what we believe of this network's logs.
    """
    moved = tx.to is not None and tx.value != "0x0" and receipt.status == SUCCESS
    if not moved or transaction_type(tx) not in KNOWN_TYPES:
        return
    topics = [LOG_TRANSFER, *map(as_word, (coin, canonical(tx.sender), canonical(tx.to or "")))]
    amount = f"0x{number(tx.value):064x}"
    for log in receipt.logs:
        if log.topics == topics and log.data.startswith(amount) and canonical(log.address) == coin:
            return
    raise ValueError(f"transaction {tx.hash} moved a value that no log tells of")


def require_move_logged(tx: Transaction, receipt: Receipt, system: Address) -> None:
    """The same where the chain logs moves as a token does (EIP-7708); none to oneself."""
    sender = canonical(tx.sender)
    moved = tx.value != "0x0" and receipt.status == SUCCESS and sender != canonical(tx.to or "")
    if not moved or transaction_type(tx) not in KNOWN_TYPES:
        return
    topics = [TRANSFER, as_word(sender)]
    if tx.to is not None:  # else to the contract that it creates
        topics.append(as_word(canonical(tx.to)))
    amount = f"0x{number(tx.value):064x}"
    for log in receipt.logs:
        same = log.data == amount and canonical(log.address) == system
        if same and log.topics[: len(topics)] == topics:
            return
    raise ValueError(f"transaction {tx.hash} moved a value that no log tells of")


def refusal(hash_text: str, index: int, log: Log, reason: str) -> Refusal:
    """No payment, though a proven log may look like one; with what it says, where that is read."""
    place = _RECEIVER.get(log.topics[0]) if log.topics else None
    to = units = None
    if place is not None and log.topics[place : place + 1] and len(log.data) >= _AMOUNT:
        to, units = _of_topic(log.topics[place]), int(log.data[:_AMOUNT], 16)
    where = tx_hash(hash_text), f"log/{index}"
    return Refusal(*where, reason, canonical(log.address), to, units)


def tx_hash(text: str) -> Hash:
    return Hash(text[2:])


def canonical(text: str) -> Address:
    """An address as nodes spell it, some with capitals."""
    return Address(text.lower())


def as_word(address: Address) -> str:
    """An address as a topic."""
    return _NO_HIGH_BYTES + address[2:]


def _of_topic(topic: str) -> Address:
    return Address("0x" + topic[-40:])


def _failure(receipt: Receipt) -> str | None:
    """Before Byzantium a log means success."""
    failed = receipt.root is None and receipt.status != SUCCESS
    return "failed transaction" if failed else None


def _flaw(log: Log, *, topics: int, words: int) -> str | None:
    """Why a log with the right first topic is none of the common shape (chains.md 2.8, 3.3).

    Its last two topics are addresses, and the first word of its data is the amount.
    """
    if len(log.topics) != topics:
        return f"{len(log.topics)} topics instead of {topics}"
    if len(log.data) != len("0x") + words * _WORD:
        return "amount is not 32 bytes" if words == 1 else f"data is not {words * 32} bytes"
    if any(topic[:-40] != _NO_HIGH_BYTES for topic in log.topics[-2:]):
        return "a topic is no address"
    if int(log.data[:_AMOUNT], 16) == 0:
        return "amount is zero"
    return ITSELF if log.topics[-2] == log.topics[-1] else None


def _repeats(receipt: Receipt, index: int, coin: Address) -> bool:
    """The log just before is the coin's own Transfer of the very same."""
    if index == 0:
        return False
    log, before = receipt.logs[index], receipt.logs[index - 1]
    return (
        canonical(before.address) == coin
        and before.topics == [TRANSFER, *log.topics[2:]]
        and before.data == log.data[:_AMOUNT]
    )
