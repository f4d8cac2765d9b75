"""Polygon's recorded blocks, and the logs of which blocks made to order consist."""

from __future__ import annotations

from chains.evm.blocks import Listing, Reading, read_block
from chains.evm.logs import LOG_TRANSFER
from chains.evm.rlp import hashed
from chains.polygon import COIN, RULES
from tests.chains.evm.made import PAYER, SHOP, TRANSFER, make_receipt, make_transaction, word
from tests.chains.evm.recorded import Answers, Json
from tests.realdata import realdata
from watcher.domain.blocks import Hash
from watcher.domain.money import Address, Method, Network

POL = Method("polygon:pol")
NOBODY = "0x" + 40 * "0"
MATIC = "0x7d1afa7b718fb893db30a3abc0cfc608aacfebb0"
"""What the coin's contract calls itself in its own logs on mainnet."""
LOG_FEE_TRANSFER = "0x4dfe1bbbcf077ddc3e01291eea2d5c70c2b422b415d95645b9adcfd678cb1d63"
SYNC_HASH = "0x" + "7f" * 32


def recorded(number: int) -> Answers:
    """A recorded block of mainnet."""
    return Answers(
        realdata("polygon", f"polygon-{number}.block.json").read_bytes(),
        realdata("polygon", f"polygon-{number}.receipts.json").read_bytes(),
    )


def listing(*tokens: str) -> Listing:
    """List POL and these contracts, each under its own method."""
    methods = {Address(token): token_method(token) for token in tokens}
    return Listing(Network("polygon"), POL, methods, RULES)


def token_method(token: str) -> Method:
    return Method(f"polygon:{token}")


def read(answers: Answers, *tokens: str) -> Reading:
    return read_block(answers.block, answers.receipts, listing(*tokens))


def topic(address: str) -> str:
    return word(int(address, 16))


def coin_log(
    units: int = 7, sender: str = PAYER, to: str = SHOP, *, token: str = COIN, **fields: Json
) -> Json:
    """A move of the coin: logged by the chain, or with another `token` by the contract."""
    topics = [LOG_TRANSFER, *map(topic, (token, sender, to))]
    data = word(units) + 4 * word(0)[2:]
    return {"address": COIN, "topics": topics, "data": data, "removed": False, **fields}


def fee_log() -> Json:
    """What ends the logs of every transaction."""
    log = coin_log(1, to=NOBODY)
    return {**log, "topics": [LOG_FEE_TRANSFER, *log["topics"][1:]]}


def by_contract(units: int = 7, token: str = MATIC) -> list[Json]:
    """The logs of `transfer(SHOP, units)` of the coin's contract, sent with that value."""
    transfer = {
        "address": COIN,
        "topics": [TRANSFER, topic(PAYER), topic(SHOP)],
        "data": word(units),
        "removed": False,
    }
    return [
        coin_log(units, PAYER, COIN),
        coin_log(units, COIN, SHOP),
        transfer,
        coin_log(units, PAYER, SHOP, token=token),
    ]


def call(**fields: Json) -> Json:
    """A transaction that moves nothing itself."""
    return make_transaction(**{"value": "0x0", **fields})


def state_sync(*logs: Json) -> tuple[Json, Json]:
    """The last transaction of a block, and its receipt."""
    sent = {"type": "0x7f", "hash": SYNC_HASH, "from": NOBODY, "to": NOBODY}
    return call(**sent), make_receipt(*logs)


def made_up_hash(number: int, block_hash: str) -> Hash:
    """What nodes called the state-sync transaction of a block before PIP-74."""
    return Hash(
        hashed(b"matic-bor-receipt-" + number.to_bytes(8, "big") + bytes.fromhex(block_hash[2:]))
    )
