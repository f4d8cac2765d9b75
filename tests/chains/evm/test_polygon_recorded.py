"""Recorded blocks of Polygon are proven, or refused for what they are, and give what is true."""

from __future__ import annotations

import json
import re

import pytest

from chains.base import ChainDataError
from chains.evm.encoding import encode_transaction
from chains.evm.header import read_header, unproven_fields
from chains.evm.messages import decode_block
from chains.evm.rlp import hashed
from chains.evm.trie import list_root
from tests.chains.evm.polygon import POL, made_up_hash, read, recorded, token_method
from tests.chains.evm.recorded import Answers, Json, encoded, flipped
from tests.realdata import realdata

Row = tuple[str, str, str, int]
"""Transaction, method, receiver, units."""

EXPECTED: dict[int, Json] = {
    truth["block"]: truth
    for truth in (
        json.loads(path.read_text())
        for path in sorted(realdata("polygon").glob("polygon-*.expected.json"))
    )
}
BUSY = 38102393
WITHOUT_RECEIPTS = [9013761, 13572468]
BRIDGED = [135808, 147648]
TRIMMED = [31992640, 34155965]
"""Their transactions were left out of the recording, all but one or two."""


def truth_of(number: int) -> list[Row]:
    """What is true, in our words; a receipt under no root proves nothing."""
    return [
        (
            row["tx"][2:],
            token_method(row["token"]) if row["kind"] == "erc20" else POL,
            row["to"],
            int(row["amount"]),
        )
        for row in EXPECTED[number]["deposits"]
        if not row["kind"].startswith("statesync")
    ]


def tokens(number: int) -> list[str]:
    """Every token in what is and what is not a deposit: all are listed, so that nothing hides."""
    named = [*EXPECTED[number]["deposits"], *EXPECTED[number]["not_deposits"]]
    return sorted({row["token"] for row in named if row.get("token")})


def test_every_block_that_the_index_calls_proven_is_tested() -> None:
    index = realdata("INDEX.md").read_text()
    rows = re.findall(r"^\| \*\*polygon-(\d+)\*\* .*receiptsRoot ok;", index, re.MULTILINE)
    assert sorted(map(int, rows)) == sorted(EXPECTED)
    assert len(rows) == 11


@pytest.mark.parametrize("number", EXPECTED)
def test_a_block_is_proven_and_gives_its_transfers_and_no_others(number: int) -> None:
    reading = read(recorded(number), *tokens(number))
    assert reading.unknown_fields == ()
    assert reading.block.ref.number == number
    assert f"0x{reading.block.ref.hash}" == EXPECTED[number]["hash"]
    got = [(str(m.tx_hash), m.method, m.to, m.units) for m in reading.block.transfers]
    assert sorted(got) == sorted(truth_of(number))


def test_the_recordings_hold_payments_of_every_kind() -> None:
    kinds = [row["kind"] for truth in EXPECTED.values() for row in truth["deposits"]]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {
        "erc20": 61,
        "native": 6,
        "internal": 13,
        "statesync-erc20": 1,
        "statesync-native": 1,
    }


@pytest.mark.parametrize("number", EXPECTED)
def test_transfers_stand_where_the_receipts_have_them(number: int) -> None:
    answers = recorded(number)
    logs = {
        (receipt["transactionHash"][2:], f"log/{index}"): log
        for receipt in answers.decoded()[1]
        for index, log in enumerate(receipt["logs"])
    }
    for move in read(answers, *tokens(number)).block.transfers:
        log = logs[(str(move.tx_hash), move.position)]
        assert log["topics"][-1].endswith(move.to[2:])
        assert int(log["data"][:66], 16) == move.units


@pytest.mark.parametrize("number", BRIDGED)
def test_what_came_over_the_bridge_before_its_receipts_were_proven_is_refused(number: int) -> None:
    (row,) = EXPECTED[number]["deposits"]
    reading = read(recorded(number), *tokens(number))
    assert reading.block.transfers == ()
    assert [(f"0x{no.tx_hash}", no.position, no.reason) for no in reading.refusals] == [
        (row["tx"], f"log/{row['log_index']}", "state-sync receipt under no root")
    ]
    assert row["tx"][2:] == made_up_hash(number, EXPECTED[number]["hash"])


@pytest.mark.parametrize("number", WITHOUT_RECEIPTS)
def test_headers_with_seals_and_transactions_hash_to_their_hashes(number: int) -> None:
    content = realdata("polygon", f"polygon-{number}.block.json").read_bytes()
    block = decode_block(content)
    assert unproven_fields(block, content) == ()
    assert len(block.extra_data) > 2 + 2 * 32
    transactions = [encode_transaction(tx) for tx in block.transactions]
    assert [f"0x{hashed(tx)}" for tx in transactions] == [tx.hash for tx in block.transactions]
    assert f"0x{list_root(transactions)}" == block.transactions_root


@pytest.mark.parametrize("number", TRIMMED)
def test_a_block_without_most_of_its_transactions_is_refused(number: int) -> None:
    header = realdata("polygon", f"polygon_fixture_header_{number}.json").read_bytes()
    receipt = json.loads(realdata("polygon", f"polygon_fixture_receipt_{number}.json").read_text())
    assert read_header(header).number == number
    with pytest.raises(ChainDataError, match=f"block {number}: transaction"):
        read(Answers(header, json.dumps([receipt]).encode()))


HEADER_FIELDS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot"),
    *("logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData"),
    *("mixHash", "nonce", "baseFeePerGas", "hash"),
)


@pytest.mark.parametrize("field", HEADER_FIELDS)
def test_a_flipped_byte_of_a_header_is_refused(field: str) -> None:
    block, receipts = recorded(BUSY).decoded()
    block[field] = flipped(block[field], field)
    refuse(block, receipts)


@pytest.mark.parametrize("field", ["hash", "value", "to", "nonce", "gas", "input", "r", "s", "v"])
def test_a_flipped_byte_of_a_transaction_is_refused(field: str) -> None:
    block, receipts = recorded(BUSY).decoded()
    tx = block["transactions"][0]
    tx[field] = flipped(tx[field], field)
    refuse(block, receipts)


@pytest.mark.parametrize("field", ["address", "data", "transactionHash", "blockHash"])
@pytest.mark.parametrize("last", [True, False])
def test_a_flipped_byte_of_a_log_is_refused(field: str, last: bool) -> None:
    block, receipts = recorded(BUSY).decoded()
    logs = [log for receipt in receipts for log in receipt["logs"] if log["data"] != "0x"]
    log = logs[-1 if last else 0]
    log[field] = flipped(log[field], field)
    refuse(block, receipts)


@pytest.mark.parametrize("field", ["cumulativeGasUsed", "logsBloom", "status"])
def test_a_flipped_byte_of_a_receipt_is_refused(field: str) -> None:
    block, receipts = recorded(BUSY).decoded()
    receipts[7][field] = flipped(receipts[7][field], field)
    refuse(block, receipts)


def test_a_payer_that_is_not_the_one_in_the_log_is_refused() -> None:
    block, receipts = recorded(BUSY).decoded()
    tx = next(tx for tx in block["transactions"] if tx["value"] != "0x0")
    tx["from"] = flipped(tx["from"], "from")
    with pytest.raises(ChainDataError, match="moved a value that no log tells of"):
        read(encoded(block, receipts))


def refuse(block: Json, receipts: Json) -> None:
    with pytest.raises(ChainDataError, match=r"block|malformed"):
        read(encoded(block, receipts))
