"""Recorded blocks are proven or refused as the index says, and hold what is known of them."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import pairwise

import msgspec
import pytest

from chains.base import ChainDataError
from chains.tvm.address import text
from chains.tvm.blocks import Reading
from chains.tvm.messages import RawHeader, decode_block
from chains.tvm.proof import encode_header, prove_head
from tests.chains.tvm.recorded import (
    FORKS,
    PRIVATE,
    TEN,
    TRX,
    Json,
    chain,
    encoded,
    load,
    method,
    read,
)

Row = tuple[str, str, str, str, int]
"""Transaction, position, method, receiver, units."""

COMPLETE = {
    "shasta-200.getblockbynum": 1,
    "shasta-2349814.getblockbynum": 1,
    "shasta-33801077-33801081.getblockbylatestnum": 5,
    "shasta-or-nile-52799248.block": 1,
    "privatenet-165.getblockbynum": 1,
    "nile-2026-08-11.getnowblock": 1,
}
TRIMMED = [
    "mainnet-30864542.getblockbylimitnext",
    "mainnet-30864544.getblock",
    "mainnet-3824573.getblock",
    "mainnet-84939539.getnowblock.trimmed",
    "mainnet-84940008.getblockbylimitnext.trimmed",
    "nile-docs.getblock.1",
]


def blocks_in(name: str) -> list[Json]:
    """The blocks of a recorded file, whatever stands around them."""
    content = load("tron", f"{name}.json")
    content = content.get("response", content) if isinstance(content, dict) else content
    blocks: list[Json] = content.get("block", [content])
    return blocks


def infos_for(block: Json) -> list[Json]:
    """Infos that fit, where none were recorded: no code ran as far as they say."""
    header = block["block_header"]["raw_data"]
    place = {"blockNumber": header["number"], "blockTimeStamp": header["timestamp"]}
    return [
        {
            "id": tx["txID"],
            "receipt": {"result": tx["ret"][0]["contractRet"]}
            if tx["raw_data"]["contract"][0]["type"].endswith("SmartContract")
            else {},
            **place,
        }
        for tx in block.get("transactions", ())
    ]


@pytest.mark.parametrize("name", COMPLETE)
def test_a_complete_block_is_proven(name: str) -> None:
    blocks = blocks_in(name)
    readings = [read(encoded(block, infos_for(block))) for block in blocks]
    assert [reading.block.ref.hash for reading in readings] == [each["blockID"] for each in blocks]
    assert [reading.signer for reading in readings] == [None] * COMPLETE[name]
    for lower, upper in pairwise(readings):
        assert upper.block.ref.parent_hash == lower.block.ref.hash


def test_trx_that_a_call_brings_its_contract_is_a_transfer() -> None:
    (block,) = blocks_in("shasta-2349814.getblockbynum")
    truth = load("tron", "shasta-2349814.getblockbynum.expected.json")["credits"]
    (transfer,) = read(encoded(block, infos_for(block))).block.transfers
    assert [(transfer.tx_hash, transfer.sender, transfer.to, str(transfer.units))] == [
        (row["tx"], row["frm"]["b58"], row["to"]["b58"], row["amount"]) for row in truth
    ]


@pytest.mark.parametrize("name", TRIMMED)
def test_a_block_whose_transactions_were_trimmed_is_refused(name: str) -> None:
    (block,) = blocks_in(name)
    with pytest.raises(ChainDataError, match="its transactions do not give its txTrieRoot"):
        read(encoded(block, infos_for(block)))


@pytest.mark.parametrize("name", TRIMMED)
def test_the_header_of_a_trimmed_block_is_true(name: str) -> None:
    (block,) = blocks_in(name)
    assert prove_head(decode_block(json.dumps(block).encode())) is None


def test_trx_in_a_recorded_block_of_nile_is_a_transfer() -> None:
    (block,) = blocks_in("nile-2026-08-11.getnowblock")
    truth = load("tron", "nile-2026-08-11.getnowblock.expected.json")["credits"]
    assert rows(read(encoded(block, infos_for(block)))) == expected_rows(truth)
    assert len(truth) == 1


def test_headers_of_mainnet_give_their_ids_and_link() -> None:
    sent = load("tron", "mainnet-56804500-56805500.headers.json")["headers"]
    headers = [msgspec.convert({**each, "version": 28}, RawHeader) for each in sent]
    ends = [sha256(encode_header(header)).hexdigest()[16:] for header in headers]
    ids = [f"{header.number:016x}{end}" for header, end in zip(headers, ends, strict=True)]
    assert ids == [each["blockID"] for each in sent]
    assert [header.parent_hash for header in headers[1:]] == ids[:-1]
    assert len(ids) == 1001


def test_every_block_of_a_private_net_is_proven_and_links() -> None:
    readings = private()
    assert [reading.block.ref.number for reading in readings] == list(range(29))
    assert {reading.signer for reading in readings} == {None}
    for lower, upper in pairwise(readings):
        assert upper.block.ref.parent_hash == lower.block.ref.hash


def test_a_private_net_gives_the_transfers_that_its_balances_prove() -> None:
    truth = load(*PRIVATE, "expected.json")["credits"]
    labels = load(*PRIVATE, "labels.json")
    got = [row for reading in private() for row in rows(reading)]
    # Not in the expectation: TRC-10 that a call brings its contract, which pays part of it on.
    sent_on = labels["labels"]["internal TRC-10 0.6 to w1"]
    contract = text(bytes.fromhex(labels["contracts"]["TOKSEND"])[1:])
    brought = (sent_on, "value/1000001", TEN, contract, 1_000_000)
    assert sorted(got) == sorted([*expected_rows(truth), brought])
    assert len(got) == 39 + 50 + 3 + 5 + 2 + 1 + 1  # the pay for a new contract is none of ours


@pytest.mark.parametrize(
    ("label", "positions"),
    [
        ("one call, three USDT transfers (w1 twice)", ["log/0", "log/1", "log/2"]),
        ("TRX 3 with memo to w1", ["value"]),
        ("multisig TRX 10 to w1 (signers are not the owner)", ["value"]),
        ("USDT transferFrom by bob to w4", ["log/0"]),
        ("internal TRX 4 to w1 and 2.5 to new w5", ["value", "internal/0", "internal/1"]),
        ("internal TRX: one rejected, one ok to w1", ["internal/1"]),
        ("create + suicide pays 3.3 TRX to w6", ["value", "internal/0", "internal/1"]),
        ("TRC-10 to w1", ["value/1000001"]),
        ("internal TRC-10 0.6 to w1", ["value/1000001", "internal/0/1000001"]),
        ("call_value 2 TRX to a contract", ["value"]),
        ("deploy Multi with 3000 TRX", []),
        ("silent token movement without a log", []),
        ("fee-on-transfer token: 100 in calldata, 99 in log", ["log/0", "log/1"]),
        ("zero-value USDT to w1", []),
        ("endless loop", []),
        ("token transfer in a caught reverted frame (no log)", []),
    ],
)
def test_a_label_ends_as_it_says(label: str, positions: list[str]) -> None:
    tx_hash = load(*PRIVATE, "labels.json")["labels"][label]
    found = [t for reading in private() for t in reading.block.transfers if t.tx_hash == tx_hash]
    assert [each.position for each in found] == positions


@pytest.mark.parametrize(
    ("label", "claims"),
    [
        ("zero-value USDT to w1", [("log/0", "amount is zero")]),
        ("Transfer log with 1 topic", [("log/0", "1 topics instead of 3")]),
        ("Transfer log with 4 topics (NFT shape)", [("log/0", "4 topics instead of 3")]),
        ("internal TRX: one rejected, one ok to w1", [("internal/0", "rejected call")]),
        (
            "inner frame reverted, outer ok (nothing to w1)",
            [("internal/1", "rejected call")],
        ),
        (
            "internal TRX then REVERT",
            [("value", "failed transaction"), ("internal/0", "failed transaction")],
        ),
        (
            "contract calls itself with value: TRANSFER_FAILED",
            [("value", "failed transaction")],
        ),
        ("USDT transfer OUT_OF_ENERGY", []),
        ("USDT transfer REVERT insufficient balance", []),
    ],
)
def test_what_only_looks_like_a_payment_is_refused_with_its_reason(
    label: str, claims: list[tuple[str, str]]
) -> None:
    tx_hash = load(*PRIVATE, "labels.json")["labels"][label]
    found = [no for reading in private() for no in reading.refusals if no.tx_hash == tx_hash]
    assert [(no.position, no.reason) for no in found] == claims
    paid = [t for reading in private() for t in reading.block.transfers if t.tx_hash == tx_hash]
    assert {t.position for t in paid}.isdisjoint(no.position for no in found)


def test_a_look_alike_contract_is_not_looked_at() -> None:
    labels = load(*PRIVATE, "labels.json")
    fake = labels["labels"]["fake USDT to w1"]
    blocks, infos = chain(*PRIVATE)
    usdt = labels["contracts"]["USDT"]
    readings = [read(encoded(*pair), usdt) for pair in zip(blocks, infos, strict=True)]
    assert fake not in {t.tx_hash for reading in readings for t in reading.block.transfers}
    assert fake not in {no.tx_hash for reading in readings for no in reading.refusals}


@pytest.mark.parametrize("fork", ["forkA_before", "forkB_before", "forkA_after"])
def test_each_side_of_a_true_fork_is_proven_and_gives_its_transfers(fork: str) -> None:
    blocks, infos = chain(*FORKS, name=fork)
    truth = load(*FORKS, f"{fork}.credits.json")
    tokens = sorted({row["token"]["hex"] for row in truth if "token" in row})
    readings = [read(encoded(*pair), *tokens) for pair in zip(blocks, infos, strict=True)]
    for lower, upper in pairwise(readings):
        assert upper.block.ref.parent_hash == lower.block.ref.hash
    got = [row for reading in readings for row in rows(reading)]
    assert sorted(got) == sorted(expected_rows(truth))
    assert got


def test_an_internal_payment_of_mainnet_is_found_in_its_info() -> None:
    """The blocks of these infos were not recorded; their shapes are those of the private net."""
    sent = load("tron", "mainnet-84276720.gettransactioninfobyid.json")
    truth = load("tron", "mainnet-84276720.gettransactioninfobyid.expected.json")["credits"]
    values = [
        (call["transferTo_address"], value["callValue"])
        for call in sent["internal_transactions"]
        if not call.get("rejected")
        for value in call["callValueInfo"]
        if value.get("callValue")
    ]
    assert values == [(row["to"]["hex"], int(row["amount"])) for row in truth]


def private() -> list[Reading]:
    """Every block of the private net, with all its tokens listed, so that nothing hides."""
    labels = load(*PRIVATE, "labels.json")
    tokens, blocks, infos = labels["contracts"].values(), *chain(*PRIVATE)
    return [
        read(encoded(*pair), *tokens, coins=(labels["trc10"],))
        for pair in zip(blocks, infos, strict=True)
    ]


def rows(reading: Reading) -> list[Row]:
    return [(str(m.tx_hash), m.position, m.method, m.to, m.units) for m in reading.block.transfers]


def expected_rows(truth: list[Json]) -> list[Row]:
    """What is true, in our words; but for what pays for a contract's creation."""
    return [
        (row["tx"], _position(row), _method(row), row["to"]["b58"], int(row["amount"]))
        for row in truth
        if row["kind"] != "trx-to-new-contract"
    ]


def _position(row: Json) -> str:
    match row["kind"]:
        case "trc20":
            return f"log/{row['log_index']}"
        case "trc10":
            return f"value/{row['token_id']}"
        case "internal-trx" | "internal-trc10":
            end = f"/{row['token_id']}" if "token_id" in row else ""
            return f"internal/{_internal_index(row)}{end}"
    return "value"


def _internal_index(row: Json) -> int:
    """Where the call with this hash stands in its transaction."""
    _, infos = chain(*PRIVATE)
    (info,) = (info for info in infos[row["block"]] if info["id"] == row["tx"])
    hashes = [call["hash"] for call in info["internal_transactions"]]
    return hashes.index(row["internal_hash"])


def _method(row: Json) -> str:
    if "token" in row:
        return method(row["token"]["hex"])
    return TEN if "token_id" in row else TRX
