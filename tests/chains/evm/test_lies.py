"""A node that changes anything that matters in a true block is caught."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chains.base import ChainDataError
from chains.evm.header import PRAGUE
from tests.chains.evm.recorded import Answers, Json, encoded, flipped, mainnet, read

FRONTIER, BYZANTIUM, LONDON, SHANGHAI = 1000000, 4370006, 13998626, 17053184
TRUE = {number: mainnet(number) for number in (FRONTIER, BYZANTIUM, LONDON, SHANGHAI)}
"""One block per form of header and receipt, each with failed and typed transactions if it can."""

TX_FIELDS = ("hash", "value", "to", "nonce", "gas", "input", "r", "s", "v")
RECEIPT_FIELDS = ("cumulativeGasUsed", "logsBloom", "transactionHash", "blockHash", "blockNumber")
LOG_FIELDS = ("address", "data", "transactionHash", "blockHash", "blockNumber", "transactionIndex")
WITHDRAWAL_FIELDS = ("amount", "address", "index", "validatorIndex")


def refuse(block: Json, receipts: Json, reason: str = "block|malformed") -> None:
    answers = encoded(block, receipts)
    with pytest.raises(ChainDataError, match=reason):
        read(answers)


@pytest.mark.parametrize("number", TRUE)
def test_the_truth_is_believed(number: int) -> None:
    assert read(encoded(*TRUE[number].decoded())).unknown_fields == ()


@pytest.mark.parametrize("field", sorted(PRAGUE | {"hash"}))
@pytest.mark.parametrize("number", TRUE)
def test_a_changed_header_is_refused(number: int, field: str) -> None:
    block, receipts = TRUE[number].decoded()
    if field not in block:  # a field of a later fork, made up
        block[field] = "0x1" if "Gas" in field else "0x" + "1" * 64
    else:
        block[field] = flipped(block[field], field)
    refuse(block, receipts)


@pytest.mark.parametrize("field", TX_FIELDS)
@pytest.mark.parametrize("number", TRUE)
def test_a_changed_transaction_is_refused(number: int, field: str) -> None:
    block, receipts = TRUE[number].decoded()
    at, tx = longest(block["transactions"], field)
    changed = "yParity" if field == "v" and "yParity" in tx else field
    tx[changed] = flipped(tx[changed], field)
    refuse(block, receipts, rf"block {number}: transaction {at}\b")


@pytest.mark.parametrize("field", RECEIPT_FIELDS)
@pytest.mark.parametrize("number", TRUE)
def test_a_changed_receipt_is_refused(number: int, field: str) -> None:
    block, receipts = TRUE[number].decoded()
    _, receipt = longest(receipts, field)
    receipt[field] = flipped(receipt[field], field)
    refuse(block, receipts, rf"block {number}: .*receipt")


@pytest.mark.parametrize("number", [BYZANTIUM, LONDON, SHANGHAI])
def test_a_changed_status_is_refused(number: int) -> None:
    block, receipts = TRUE[number].decoded()
    for receipt in receipts:
        receipt["status"] = "0x0" if receipt["status"] == "0x1" else "0x1"
        refuse(block, receipts, "receiptsRoot")
        receipt["status"] = "0x0" if receipt["status"] == "0x1" else "0x1"


def test_a_changed_state_root_is_refused() -> None:
    block, receipts = TRUE[FRONTIER].decoded()
    receipts[0]["root"] = flipped(receipts[0]["root"], "root")
    refuse(block, receipts, "receiptsRoot")


@pytest.mark.parametrize("field", LOG_FIELDS)
@pytest.mark.parametrize("number", [BYZANTIUM, LONDON, SHANGHAI])
def test_a_changed_log_is_refused(number: int, field: str) -> None:
    block, receipts = TRUE[number].decoded()
    _, log = longest([log for receipt in receipts for log in receipt["logs"]], field)
    log[field] = flipped(log[field], field)
    refuse(block, receipts, rf"block {number}: .*receipt")


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("number", [BYZANTIUM, LONDON, SHANGHAI])
def test_a_changed_topic_is_refused(number: int, place: int) -> None:
    block, receipts = TRUE[number].decoded()
    logs = [log for receipt in receipts for log in receipt["logs"] if len(log["topics"]) == 3]
    logs[-1]["topics"][place] = flipped(logs[-1]["topics"][place], str(place))
    refuse(block, receipts, "receiptsRoot")


@pytest.mark.parametrize("field", WITHDRAWAL_FIELDS)
def test_a_changed_withdrawal_is_refused(field: str) -> None:
    block, receipts = TRUE[SHANGHAI].decoded()
    withdrawal = block["withdrawals"][3]
    withdrawal[field] = flipped(withdrawal[field], field)
    refuse(block, receipts, "withdrawalsRoot")


Lie = Callable[[Json, Json], object]


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        pytest.param(lambda _, r: r.pop(), "124 receipts for 125", id="one receipt missing"),
        pytest.param(lambda _, r: r.pop(0), "124 receipts for 125", id="first receipt missing"),
        pytest.param(lambda _, r: r.clear(), "0 receipts for 125", id="no receipts"),
        pytest.param(lambda _, r: r.append(r[-1]), "126 receipts for 125", id="one twice"),
        pytest.param(lambda _, r: r.insert(0, r.pop()), "receipt 0", id="receipts turned"),
        pytest.param(lambda _, r: r.__setitem__(5, None), "malformed receipts", id="null receipt"),
        pytest.param(lambda b, _: b["transactions"].pop(), "transactionsRoot", id="no last tx"),
        pytest.param(
            lambda b, r: (b["transactions"].pop(), r.pop()), "transactionsRoot", id="no last pair"
        ),
        pytest.param(
            lambda b, r: (b["transactions"].clear(), r.clear()), "transactionsRoot", id="empty"
        ),
        pytest.param(
            lambda b, _: b["transactions"].insert(0, b["transactions"].pop()),
            "transactionsRoot",
            id="transactions turned",
        ),
        pytest.param(
            lambda b, _: b.update(transactions=[tx["hash"] for tx in b["transactions"]]),
            "malformed block",
            id="only hashes of transactions",
        ),
        pytest.param(lambda b, _: b["withdrawals"].pop(), "withdrawalsRoot", id="one not paid"),
        pytest.param(lambda b, _: b.pop("withdrawals"), "without withdrawals", id="none told"),
        pytest.param(lambda _, r: logs_of(r).pop(), "receiptsRoot", id="one log missing"),
        pytest.param(lambda _, r: logs_of(r).reverse(), "out of order", id="logs turned"),
        pytest.param(lambda _, r: logs_of(r)[0].update(removed=True), "removed", id="removed log"),
        pytest.param(
            lambda _, r: logs_of(r)[1].update(logIndex=logs_of(r)[0]["logIndex"]),
            "out of order",
            id="log index twice",
        ),
    ],
)
def test_a_lie_about_the_whole_is_refused(lie: Lie, reason: str) -> None:
    block, receipts = TRUE[SHANGHAI].decoded()
    lie(block, receipts)
    refuse(block, receipts, reason)


def test_receipts_of_another_block_are_refused() -> None:
    blocks = {number: TRUE[number].decoded() for number in (LONDON, SHANGHAI)}
    refuse(blocks[LONDON][0], blocks[SHANGHAI][1], "125 receipts for 7")
    refuse(blocks[LONDON][0], blocks[SHANGHAI][1][:7], "stands elsewhere")


def test_withdrawals_before_their_fork_are_refused() -> None:
    block, receipts = TRUE[LONDON].decoded()
    block["withdrawals"] = TRUE[SHANGHAI].decoded()[0]["withdrawals"]
    refuse(block, receipts, "withdrawals without withdrawalsRoot")


SPELLINGS: dict[str, Callable[[str], str]] = {
    "without 0x": lambda text: text[2:],
    "one digit short": lambda text: text[:-1],
    "one byte short": lambda text: text[:-2],
    "one byte long": lambda text: text + "00",
    "capitals": lambda text: "0x" + text[2:].upper(),
    "0X": lambda text: "0X" + text[2:],
    "no hexadecimal": lambda text: text[:-2] + "zz",
    "a space within": lambda text: text[:-2] + " " + text[-2:],
    "spaces for a byte": lambda text: text[:-2] + "  ",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("field", ["parentHash", "hash", "extraData", "tx input", "topic", "data"])
def test_misspelled_bytes_are_refused(spelling: str, field: str) -> None:
    block, receipts = TRUE[LONDON].decoded()
    log = logs_of(receipts)[0]
    _, tx = longest(block["transactions"], "input")
    spell = SPELLINGS[spelling]
    if field == "topic":
        log["topics"][2] = spell(log["topics"][2])
    else:
        holder, name = {"tx input": (tx, "input"), "data": (log, "data")}.get(field, (block, field))
        assert holder[name] != spell(holder[name])
        holder[name] = spell(holder[name])
    refuse(block, receipts, "13998626")


QUANTITIES: dict[str, Callable[[str], str]] = {
    "decimal": lambda text: str(int(text, 16)),
    "leading zero": lambda text: "0x0" + text[2:],
    "capitals": lambda text: "0x" + (text[2:].upper() if not text[2:].isdecimal() else "A"),
    "negative": lambda text: "-" + text,
    "empty": lambda _: "0x",
    "above 256 bits": lambda text: text + 64 * "0",
    "underscore": lambda text: text + "_0",
}


@pytest.mark.parametrize("spelling", QUANTITIES)
@pytest.mark.parametrize("field", ["number", "timestamp", "value", "cumulativeGasUsed", "logIndex"])
def test_misspelled_numbers_are_refused(spelling: str, field: str) -> None:
    block, receipts = TRUE[LONDON].decoded()
    homes = {
        "value": longest(block["transactions"], "value")[1],
        "cumulativeGasUsed": receipts[0],
        "logIndex": logs_of(receipts)[-1],
    }
    home = homes.get(field, block)
    home[field] = QUANTITIES[spelling](home[field])
    refuse(block, receipts)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b"{", b'"\xff"', b"<html>"])
def test_what_is_no_block_is_refused(content: bytes) -> None:
    with pytest.raises(ChainDataError, match="malformed block"):
        read(Answers(content, TRUE[LONDON].receipts))


@pytest.mark.parametrize("content", [b"", b"null", b"{}", b"[null]", b"[{}]", b"["])
def test_what_is_no_list_of_receipts_is_refused(content: bytes) -> None:
    with pytest.raises(ChainDataError, match="malformed receipts"):
        read(Answers(TRUE[LONDON].block, content))


@pytest.mark.parametrize("field", ["hash", "from", "value", "nonce", "gas", "input", "gasPrice"])
def test_a_transaction_without_a_field_is_refused(field: str) -> None:
    block, receipts = TRUE[FRONTIER].decoded()
    del block["transactions"][0][field]
    refuse(block, receipts)


@pytest.mark.parametrize("field", ["accessList", "maxFeePerGas", "chainId", "r", "s", "v"])
def test_a_typed_transaction_without_a_field_is_refused(field: str) -> None:
    block, receipts = TRUE[LONDON].decoded()
    tx = next(tx for tx in block["transactions"] if tx["type"] == "0x2")
    tx.pop("yParity", None)
    del tx[field]
    refuse(block, receipts)


def test_a_payer_that_is_no_address_is_refused() -> None:
    block, receipts = TRUE[LONDON].decoded()
    block["transactions"][0]["from"] = "0x12"
    refuse(block, receipts, "transaction 0: not 20 bytes")


def longest(items: list[Json], field: str) -> tuple[int, Json]:
    """The item with the most to change in a field, and where it stands."""
    return max(enumerate(items), key=lambda pair: len(json.dumps(pair[1][field])))


def logs_of(receipts: list[Json]) -> list[Json]:
    """The logs of some receipt that has several."""
    logs: list[Json] = next(receipt["logs"] for receipt in receipts if len(receipt["logs"]) > 2)
    return logs


@pytest.mark.parametrize("status", [None, "0x2", "0x01", "1"])
def test_a_receipt_without_a_status_or_state_root_is_refused(status: str | None) -> None:
    block, receipts = TRUE[LONDON].decoded()
    receipts[0]["status"] = status
    refuse(block, receipts, "receipt 0: neither a status nor a state root")
