"""Polygon's own: a log for every move of the coin, bridge deposits, sealed headers.

Sources: chains.md 3.3 and 3.4, with the logs' order and data as recorded in blocks 147,648 and
38,102,393.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from chains.evm import rlp
from chains.evm.header import encode_header
from chains.evm.messages import Block
from chains.sandbox.chain import Json
from chains.sandbox.evm.contracts import BALANCE_OF, PAY, WRAP, toy_contracts, transfer_log, word
from chains.sandbox.evm.flavour import GWEI, Flavour
from chains.sandbox.evm.machine import Contract, Frame, Log, Machine, Move, Reverted
from chains.sandbox.evm.multicall import MULTICALL, MULTICALL3
from chains.sandbox.evm.orders import Fees, Order, payer, sign_content
from chains.sandbox.state import State, coin, holding
from watcher.domain.money import Address, Asset

COIN = Address("0x" + "1010".zfill(40))
"""The coin's own contract, in whose name the chain logs."""
STATE_RECEIVER = Address("0x" + "1001".zfill(40))
NOBODY = Address("0x" + 40 * "0")

LOG_TRANSFER = "0xe6497e3ee548a3372136af2fcb0696db31fc6cf20260707645068bd3fe97f3c4"
LOG_FEE_TRANSFER = "0x4dfe1bbbcf077ddc3e01291eea2d5c70c2b422b415d95645b9adcfd678cb1d63"
DEPOSIT = "0x4e2ca0515ed1aef1395f66b5303bb5d6f1bf9d61a353fa53f73f8ac9973fa9f6"
STATE_COMMITTED = "0x5a22725590b0a51c923940223f7458512164b1113359a735e86e7f27f44791ee"
TOKEN_OF_COIN = "0x7d1afa7b718fb893db30a3abc0cfc608aacfebb0"
"""What the coin's contract calls itself in its own logs: MATIC on Ethereum."""

STATE_SYNC = 0x7F
VANITY, SEAL = 32, 65  # bytes at the two ends of extraData
PRODUCER = payer(2**31)  # a key beyond those that pay


def polygon(chain_id: int, assets: Sequence[Asset]) -> Flavour:
    """Polygon PoS as of PIP-74."""
    return Flavour(
        name="polygon",
        chain_id=chain_id,
        contracts={
            **toy_contracts(assets),
            COIN: Contract("0xfe", _run_coin),
            MULTICALL: MULTICALL3,
        },
        fees=Fees(base=30 * GWEI, tip=30 * GWEI, most=500 * GWEI),
        producer=PRODUCER.address,
        log_move=log_transfer,
        log_fee=_log_fee_transfer,
        finish_header=_seal,
        bridged=True,
    )


def log_transfer(move: Move) -> Log:
    """What bor logs wherever the coin moves."""
    return _move_log(LOG_TRANSFER, COIN, move)


def _log_fee_transfer(move: Move) -> Log:
    """Ends the logs of every transaction, failed ones too."""
    return _move_log(LOG_FEE_TRANSFER, COIN, move)


def _move_log(topic: str, token: str, move: Move) -> Log:
    topics = (topic, f"0x{word(token)}", f"0x{word(move.sender)}", f"0x{word(move.to)}")
    data = "".join(map(word, (move.units, *move.before, *move.after)))
    return Log(COIN, topics, f"0x{data}")


def _run_coin(machine: Machine, frame: Frame) -> bytes:
    """`transfer(to, units)` with that very value: passes it on, and logs it twice more."""
    if frame.data[:4] == BALANCE_OF:
        return machine.state[coin(Address(f"0x{frame.data[16:36].hex()}"))].to_bytes(32, "big")
    to, units = Address(f"0x{frame.data[16:36].hex()}"), int.from_bytes(frame.data[36:68], "big")
    if frame.data[:4] != PAY:
        raise Reverted("execution reverted")
    if units != frame.value:
        return bytes(32)  # false: it keeps what it was sent
    state = machine.state
    before = state[coin(frame.sender)], state[coin(to)]
    passed = machine.call(Frame(COIN, to, units, b""), inside=frame)
    if passed.error is not None:
        raise Reverted("execution reverted")
    after = state[coin(frame.sender)], state[coin(to)]
    machine.logs.append(transfer_log(COIN, frame.sender, to, units))
    move = Move(frame.sender, to, units, before, after)
    machine.logs.append(_move_log(LOG_TRANSFER, TOKEN_OF_COIN, move))
    return (1).to_bytes(32, "big")


@dataclass(frozen=True, slots=True)
class Message:
    """Money that comes over the bridge, and is part of the next block's last transaction."""

    serial: int
    to: Address
    units: int
    contract: Address | None = None
    """The token; None: the coin."""
    succeeds: bool = True

    def encoded(self) -> str:
        """The record of it (PIP-74: id, contract, data, hash on the other network)."""
        data = word(self.contract or COIN) + word(self.to) + word(self.units)
        data += word(int(self.succeeds))
        source = rlp.hashed(rlp.content(rlp.integer(self.serial)))
        return rlp.sequence(
            (
                rlp.integer(self.serial),
                rlp.address(STATE_RECEIVER),
                rlp.string(data),
                rlp.string(source),
            )
        )


def through_contract(to: Address, units: int) -> Order:
    """A payment of the coin as if it were a token, which many wallets make."""
    return Order(COIN, units, PAY + bytes.fromhex(word(to) + word(units)))


def state_sync(messages: Iterable[Message]) -> tuple[Json, bytes]:
    """The transaction that carries out `messages`, as bor sends it, and its true encoding.

    What it sends lacks the messages, so that nobody can recompute the hash from it.
    """
    records = rlp.sequence(message.encoded() for message in messages)
    encoded = rlp.content(f"{STATE_SYNC:02x}{records}")
    numbers = ("nonce", "gas", "gasPrice", "value", "v", "r", "s")
    fields: Json = {
        "type": hex(STATE_SYNC),
        "hash": f"0x{rlp.hashed(encoded)}",
        "from": NOBODY,
        "to": NOBODY,
        "input": "0x",
        **dict.fromkeys(numbers, "0x0"),
    }
    return fields, encoded


def carry_out(state: State, message: Message) -> list[Log]:
    """Credit what came over the bridge; the logs in bor's order."""
    logs: list[Log] = []
    if message.succeeds and message.contract is None:
        before = state[coin(COIN)], state[coin(message.to)]
        state[coin(message.to)] += message.units
        # The contract holds what was never minted; a toy's pocket has no bottom.
        after = before[0], state[coin(message.to)]
        logs.append(log_transfer(Move(COIN, message.to, message.units, before, after)))
        topics = (DEPOSIT, f"0x{word(TOKEN_OF_COIN)}", f"0x{word(message.to)}")
        data = "".join(map(word, (message.units, before[1], after[1])))
        logs.append(Log(COIN, topics, f"0x{data}"))
    elif message.succeeds and message.contract is not None:
        payee = holding(message.contract, message.to)
        state[payee] = (state[payee] + message.units) % WRAP
        logs.append(transfer_log(message.contract, NOBODY, message.to, message.units))
    serial, outcome = f"0x{word(message.serial)}", f"0x{word(int(message.succeeds))}"
    return [*logs, Log(STATE_RECEIVER, (STATE_COMMITTED, serial), outcome)]


def _seal(header: Json) -> Json:
    """Put the producer's signature at the end of extraData, over the header without it."""
    vanity = str(header["extraData"]).ljust(2 + 2 * VANITY, "0")
    unsealed = {**header, "extraData": vanity, "miner": NOBODY, "difficulty": "0x1"}
    block = msgspec.convert({**unsealed, "hash": "", "transactions": []}, Block)
    seal = sign_content(PRODUCER.key, encode_header(block))
    return {**unsealed, "extraData": f"{vanity}{seal.hex()}"}
