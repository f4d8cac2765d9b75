"""Recorded blocks are proven, and hold what their independent expectation says."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from chains.evm.blocks import Reading
from chains.evm.encoding import encode_transaction, encode_withdrawal
from chains.evm.header import encode_header, unproven_fields
from chains.evm.messages import Block, decode_block
from chains.evm.rlp import hashed
from chains.evm.trie import list_root
from tests.chains.evm.recorded import NATIVE, Answers, Json, encoded, mainnet, method, read
from tests.realdata import realdata

Row = tuple[str | None, str, str, str, int]
"""Transaction, position, method, receiver, units."""


def expectations() -> dict[int, Json]:
    """What each recorded block of mainnet must give, for those that can be proven in full."""
    files = sorted(realdata("ethereum").glob("mainnet-*.expected.json"))
    truths = [json.loads(path.read_text()) for path in files]
    return {truth["block"]: truth for truth in truths if truth["verified"]["receipt_root_ok"]}


EXPECTED = expectations()
BYZANTIUM = 4_370_000
WITHOUT_RECEIPTS = [47218, 47219, 24476000, 24476001, 24476003, 24476004, 24476009]


def test_every_block_that_the_index_calls_proven_is_tested() -> None:
    index = realdata("INDEX.md").read_text()
    rows = re.findall(r"^\| \*\*mainnet-(\d+)\*\* .*receiptsRoot ok;", index, re.MULTILINE)
    assert sorted(map(int, rows)) == sorted(EXPECTED)
    assert len(rows) == 15


@pytest.mark.parametrize("number", EXPECTED)
def test_a_block_of_mainnet_is_proven(number: int) -> None:
    reading = read(mainnet(number))
    assert reading.unknown_fields == ()
    assert (reading.block.ref.number, f"0x{reading.block.ref.hash}") == (
        number,
        EXPECTED[number]["hash"],
    )


@pytest.mark.parametrize("number", EXPECTED)
def test_a_block_of_mainnet_gives_its_transfers_and_no_others(number: int) -> None:
    truth, answers = EXPECTED[number], mainnet(number)
    reading = read(answers, *tokens(truth))
    assert sorted(rows(reading), key=str) == sorted(expected_rows(truth, answers), key=str)


@pytest.mark.parametrize("number", [number for number in EXPECTED if number < BYZANTIUM])
def test_before_byzantium_no_receipt_says_that_a_value_moved(number: int) -> None:
    values = {row["tx"][2:] for row in EXPECTED[number]["deposits"] if row["kind"] == "native"}
    refusals = read(mainnet(number)).refusals
    assert {no.tx_hash for no in refusals if no.reason == "status unknown"} == values


@pytest.mark.parametrize("number", EXPECTED)
def test_transfers_name_their_payer_and_stand_in_order(number: int) -> None:
    truth, answers = EXPECTED[number], mainnet(number)
    moves = read(answers, *tokens(truth)).block.transfers
    block, _ = answers.decoded()
    payers = {tx["hash"][2:]: tx["from"] for tx in block["transactions"]}
    order = {tx_hash: index for index, tx_hash in enumerate(payers)}
    values = [move for move in moves if move.position == "value"]
    assert all(move.sender == payers[str(move.tx_hash)] for move in values)
    places = [order.get(str(move.tx_hash), len(order)) for move in moves]
    assert places == sorted(places)


@pytest.mark.parametrize("number", WITHOUT_RECEIPTS)
def test_every_type_of_transaction_hashes_to_its_hash_and_root(number: int) -> None:
    content = realdata("ethereum", f"mainnet-{number}.block.json").read_bytes()
    block = decode_block(content)
    transactions = [encode_transaction(tx) for tx in block.transactions]
    assert [f"0x{hashed(tx)}" for tx in transactions] == [tx.hash for tx in block.transactions]
    assert f"0x{list_root(transactions)}" == block.transactions_root
    assert unproven_fields(block, content) == ()
    if block.withdrawals_root is not None:
        withdrawals = [encode_withdrawal(each) for each in block.withdrawals or ()]
        assert f"0x{list_root(withdrawals)}" == block.withdrawals_root


def test_the_blocks_without_receipts_hold_blobs_and_authorizations() -> None:
    files = [realdata("ethereum", f"mainnet-{number}.block.json") for number in WITHOUT_RECEIPTS]
    blocks = [decode_block(path.read_bytes()) for path in files]
    types = {tx.type for block in blocks for tx in block.transactions}
    assert types == {"0x0", "0x2", "0x3", "0x4"}


def test_every_block_of_a_private_anvil_is_read() -> None:
    folder = realdata("ethereum", "anvil-1.7.1-private")
    blocks, receipts, truth = (
        json.loads((folder / f"{name}.json").read_text())
        for name in ("blocks", "receipts", "expected")
    )
    pairs = [encoded(*pair) for pair in zip(blocks, receipts, strict=True)]
    readings = [read(answers, *tokens(truth)) for answers in pairs]
    assert [reading.unknown_fields for reading in readings] == [()] * 18
    expected = [
        row for answers in pairs for row in expected_rows(of_block(truth, answers), answers)
    ]
    got = [row for reading in readings for row in rows(reading)]
    assert sorted(got, key=str) == sorted(expected, key=str)
    assert len(got) == 37 + 29  # of the 30 native ones one creates a contract
    for lower, upper in pairwise(readings):
        assert upper.block.ref.parent_hash == lower.block.ref.hash


def test_what_moved_nothing_on_anvil_is_not_read() -> None:
    folder = realdata("ethereum", "anvil-1.7.1-private")
    truth = json.loads((folder / "expected.json").read_text())
    failed = [row for row in truth["not_deposits"] if "native value on a FAILED" in row["why"]]
    blocks, receipts = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("blocks", "receipts")
    )
    reading = read(encoded(blocks[14], receipts[14]))
    claims = [(no.tx_hash, no.position, no.reason) for no in reading.refusals]
    assert claims == [(row["tx"][2:], "value", "failed transaction") for row in failed]
    assert len(claims) == 1


@pytest.mark.parametrize(
    ("block", "receipts"),
    [
        ("eth_getBlockByNumber/get-genesis", "eth_getBlockReceipts/get-block-receipts-0"),
        ("eth_getBlockByHash/get-block-by-hash", "eth_getBlockReceipts/get-block-receipts-n"),
        ("eth_getBlockByNumber/get-latest", "eth_getBlockReceipts/get-block-receipts-latest"),
    ],
)
def test_a_block_of_the_specification_is_proven(block: str, receipts: str) -> None:
    assert read(encoded(answer(block), answer(receipts))).unknown_fields == ()


@pytest.mark.parametrize("fork", ["london", "merge", "shanghai", "cancun", "prague"])
def test_a_header_of_each_fork_hashes_to_its_hash(fork: str) -> None:
    sent = answer(f"eth_getBlockByNumber/get-block-{fork}-fork") | {"transactions": []}
    content = json.dumps(sent).encode()
    assert unproven_fields(decode_block(content), content) == ()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("0x0", "legacy-create"),
        ("0x0", "legacy-input"),
        ("0x0", "legacy-tx"),
        ("0x1", "access-list"),
        ("0x2", "dynamic-fee"),
        ("0x3", "blob-tx"),
        ("0x4", "setcode-tx"),
    ],
)
def test_a_transaction_of_the_specification_hashes_to_its_hash(kind: str, name: str) -> None:
    header = answer("eth_getBlockByNumber/get-genesis")
    tx = answer(f"eth_getTransactionByHash/get-{name}")
    block = decode_block(json.dumps(header | {"transactions": [tx]}).encode())
    assert f"0x{hashed(encode_transaction(block.transactions[0]))}" == tx["hash"]
    assert block.transactions[0].type == kind


def test_headers_of_rinkeby_with_signatures_in_extra_data_hash_and_link() -> None:
    sent = json.loads(realdata("ethereum", "rinkeby-2621840-2621842.blocks.json").read_text())
    blocks = [decode_block(json.dumps(each).encode()) for each in sent]
    assert [f"0x{hashed(encode_header(block))}" for block in blocks] == hashes(blocks)
    assert [block.parent_hash for block in blocks[1:]] == hashes(blocks[:-1])


def hashes(blocks: list[Block]) -> list[str]:
    return [block.hash for block in blocks]


def answer(name: str) -> Json:
    """The result in a recorded exchange of execution-apis."""
    exchange = realdata("ethereum", "execution-apis", f"{name}.io").read_text()
    reply = next(line for line in exchange.splitlines() if line.startswith("<< "))
    return json.loads(reply[3:])["result"]


def tokens(truth: Json) -> list[str]:
    """Every token in what is and what is not a deposit: all are listed, so that nothing hides."""
    named = [*truth["deposits"], *truth["not_deposits"]]
    return sorted({row["token"] for row in named if "token" in row})


def of_block(truth: Json, answers: Answers) -> Json:
    """The part of the truth about many blocks that is about this one."""
    number = int(answers.decoded()[0]["number"], 16)
    return {"deposits": [row for row in truth["deposits"] if row["block"] == number]}


def rows(reading: Reading) -> list[Row]:
    return [(m.tx_hash, m.position, m.method, m.to, m.units) for m in reading.block.transfers]


def expected_rows(truth: Json, answers: Answers) -> list[Row]:
    """What is true, in our words; but for internal calls, contract creations, own payments."""
    block, receipts = answers.decoded()
    own = {tx["hash"] for tx in block["transactions"] if tx["from"] == tx["to"]}
    positions = {
        log["logIndex"]: f"log/{index}"
        for receipt in receipts
        for index, log in enumerate(receipt["logs"])
        if log["topics"][-2:-1] != log["topics"][-1:]  # those pay themselves
    }
    unknown_status = any("root" in receipt for receipt in receipts)
    found: list[Row] = []
    for row in truth["deposits"]:
        units = int(row["amount"])
        if row["kind"] == "erc20":
            if position := positions.get(hex(row["log_index"])):
                found.append((row["tx"][2:], position, method(row["token"]), row["to"], units))
        elif row["kind"] == "native" and not (unknown_status or "note" in row or row["tx"] in own):
            found.append((row["tx"][2:], "value", NATIVE, row["to"], units))
    for index, row in enumerate(truth.get("withdrawals", ())):
        found.append((None, f"withdrawal/{index}", NATIVE, row["to"], int(row["amount"])))
    return found
