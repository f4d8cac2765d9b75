"""What a fork may bring that this code does not know: told, never believed on one node's word."""

from __future__ import annotations

import json

import pytest

from chains.base import ChainDataError
from chains.evm.blocks import Reading, header_fields, read_block
from chains.evm.header import BESIDE, PRAGUE, encode_header, unproven_fields
from chains.evm.messages import decode_block
from chains.evm.rlp import hashed
from chains.evm.trie import EMPTY_ROOT
from tests.chains.evm.made import (
    PAYER,
    SHOP,
    TOKEN,
    make_answers,
    make_log,
    make_receipt,
    make_transaction,
    word,
)
from tests.chains.evm.recorded import (
    NATIVE,
    Answers,
    Json,
    encoded,
    flipped,
    listing,
    read,
)
from tests.chains.evm.traced import call_traces, make_call

NEW_HASH = word(0xABC)

# Sepolia 11856337, the first block after its Amsterdam fork, as its nodes give it.
AMSTERDAM = {
    "hash": "0xa03f956aeb69d3fa234d9894c4309f4bb089cca9b6440cb45066c9ba39222588",
    "parentHash": "0x862fbae116b7dca00b550ad371540de5ec8f627065bead949809ee6228b8f3eb",
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x3826539cbd8d68dcf119e80b994557b4278cec9f",
    "stateRoot": "0xfa3dce0649b084038be0d2e88b0740fdd50631fc32109c0f7766fa242baf2c39",
    "transactionsRoot": "0x4370e25f6d627e5e9efca9cb5405f38c5ae86043e5b400ea92992d51aba12b6c",
    "receiptsRoot": "0x636dbd7afafef168dee179457d140e251ddb3c203596d148338d1ee813f1f034",
    "logsBloom": (
        "0x8014a800082084804806100090009a2028220011620000168200608488100546c288100801c811022248210a01"
        "200222421950128ec100000c2892242226031a711c0551a00a220002602a58404900c0e00002c066000811210304"
        "00948540010a20000122284012608548c102604c1830800040e00c22483468a51004090118a500008009344a0009"
        "a080504206014121402041100a20081084004504201641028000810000410a803001480001041e00005000a0d0c1"
        "308a40020a02044001490f008601010220003d04004ba2000252120200040880384000800001c0694000d0101900"
        "b01810ac4814002ca0800450001800884500400207080200010208"
    ),
    "difficulty": "0x0",
    "number": "0xb4e9d1",
    "gasLimit": "0x3938700",
    "gasUsed": "0xd1dda4",
    "timestamp": "0x6ac4fd60",
    "extraData": "0x626573752032362e392e31",
    "mixHash": "0x4ba9dfc9ce033a38b9f2d6d4b549e4b3a398dbcd8dd7c514d944f42c9a1a4405",
    "nonce": "0x0000000000000000",
    "baseFeePerGas": "0x3d7386e5",
    "withdrawalsRoot": "0x5127063b341e2ad8b2236316204563d3025b6b9b61290fec666a0a0bba4286a7",
    "blobGasUsed": "0x80000",
    "excessBlobGas": "0xc6e7614",
    "parentBeaconBlockRoot": "0xa982af12aa814307469427e140dd62cf6b6cbbcf0539fbab10336132e47b0743",
    "requestsHash": "0xec88bf0d3fe6b86b583cf638c5635cb64bc842fee1e220f0e8be964a4d368c15",
    "blockAccessListHash": "0xe6048b5d71a01b46691aa7d24238ba7880b789ae42173cab10a041b72e768a55",
    "slotNumber": "0xac6000",
    "transactions": [],
}


def unproven(header: Json) -> tuple[str, ...]:
    content = json.dumps(header).encode()
    return unproven_fields(decode_block(content), content)


def forked(answers: Answers, **fields: Json) -> Answers:
    """The same block under a hash that its known fields do not give."""
    block, receipts = answers.decoded()
    old = block["hash"].encode()
    block |= fields
    changed = encoded(block, receipts)
    return Answers(
        changed.block.replace(old, NEW_HASH.encode()),
        changed.receipts.replace(old, NEW_HASH.encode()),
    )


def plain() -> Answers:
    return make_answers((make_transaction(), make_receipt(make_log(5))))


def positions(reading: Reading) -> list[str]:
    return [move.position for move in reading.block.transfers]


def test_a_real_header_of_amsterdam_hashes_to_its_hash() -> None:
    assert unproven(AMSTERDAM) == ()
    header = decode_block(json.dumps(AMSTERDAM).encode())
    assert f"0x{hashed(encode_header(header))}" == AMSTERDAM["hash"]


@pytest.mark.parametrize("field", ["stateRoot", "blockAccessListHash", "slotNumber"])
def test_a_header_of_amsterdam_that_does_not_hash_is_unproven(field: str) -> None:
    changed = AMSTERDAM | {field: flipped(str(AMSTERDAM[field]), field)}
    assert unproven(changed) == ("blockAccessListHash", "slotNumber")


def test_an_unknown_field_is_told_where_the_hash_does_not_come_out() -> None:
    reading = read(forked(plain(), newRoot=word(1), another="0x1"), TOKEN)
    assert reading.unknown_fields == ("another", "newRoot")
    assert positions(reading) == ["value", "log/0"]
    assert reading.block.ref.hash == NEW_HASH[2:]


def test_an_unknown_field_beside_a_header_that_hashes_is_nothing() -> None:
    block, receipts = plain().decoded()
    answers = encoded(block | {"milliTimestamp": "0x1"}, receipts)
    assert read(answers).unknown_fields == ()


@pytest.mark.parametrize("name", sorted(BESIDE - {"transactions", "withdrawals"}))
def test_what_nodes_put_beside_a_header_is_no_excuse(name: str) -> None:
    with pytest.raises(ChainDataError, match=r"block 100: the header does not give"):
        read(forked(plain(), **{name: "0x1"}))


def test_a_null_is_no_excuse() -> None:
    with pytest.raises(ChainDataError, match="does not give"):
        read(forked(plain(), newRoot=None))


@pytest.mark.parametrize("field", ["receiptsRoot", "transactionsRoot"])
def test_an_unknown_field_does_not_excuse_a_wrong_root(field: str) -> None:
    with pytest.raises(ChainDataError, match=field):
        read(forked(plain(), newRoot=word(1), **{field: word(2)}))


def test_a_block_hash_that_is_none_is_refused_whatever_else_is_unknown() -> None:
    block, receipts = plain().decoded()
    with pytest.raises(ChainDataError, match="not 32 bytes"):
        read(encoded(block | {"newRoot": word(1), "hash": "0x12"}, receipts))


def with_new_type() -> Answers:
    """Two payments, the first of a type that came after this code."""
    new = make_transaction(type="0x9", hash=word(0xDEF))
    known = make_transaction(nonce="0x2")
    return make_answers((new, make_receipt(make_log(5))), (known, make_receipt()))


def test_an_unknown_type_of_transaction_is_told_and_its_value_not_believed() -> None:
    reading = read(with_new_type(), TOKEN)
    assert reading.unknown_fields == ("transaction type 0x9",)
    assert positions(reading) == ["log/0", "value"]
    assert [(no.tx_hash, no.position, no.reason) for no in reading.refusals] == [
        (word(0xDEF)[2:], "value", "unknown transaction type")
    ]


def test_beside_an_unknown_type_receipts_are_still_proven() -> None:
    block, receipts = with_new_type().decoded()
    receipts[0]["logs"][0]["data"] = word(6)
    with pytest.raises(ChainDataError, match="receiptsRoot"):
        read(encoded(block, receipts))


def test_beside_an_unknown_type_a_known_transaction_must_give_its_hash() -> None:
    block, receipts = with_new_type().decoded()
    block["transactions"][1]["value"] = "0x8"
    with pytest.raises(ChainDataError, match="transaction 1: its fields do not give its hash"):
        read(encoded(block, receipts))


@pytest.mark.parametrize("name", ["hash", "from"])
def test_an_unknown_type_must_have_a_hash_and_a_payer_all_the_same(name: str) -> None:
    block, receipts = with_new_type().decoded()
    receipts[0]["transactionHash"] = receipts[0]["logs"][0]["transactionHash"] = "0x12"
    block["transactions"][0][name] = "0x12"
    with pytest.raises(ChainDataError, match="transaction 0: not"):
        read(encoded(block, receipts))


def test_a_known_transaction_cannot_pass_for_an_unknown_one() -> None:
    block, receipts = plain().decoded()
    block["transactions"][0]["type"] = "0x9"
    with pytest.raises(ChainDataError, match="receiptsRoot"):
        read(encoded(block, receipts))


@pytest.mark.parametrize("kind", ["0x80", "0xff", "0x100", "9", "0x09"])
def test_a_type_that_can_be_none_is_refused(kind: str) -> None:
    block, receipts = plain().decoded()
    block["transactions"][0]["type"] = kind
    with pytest.raises(ChainDataError, match="transaction 0"):
        read(encoded(block, receipts))


def test_header_fields_are_those_of_the_header_as_sent() -> None:
    block = plain().decoded()[0]
    beside = {"size": "0x1", "uncles": [], "author": SHOP, "withdrawals": None}
    fields = header_fields(json.dumps(block | beside | {"newRoot": word(1)}).encode())
    assert fields.keys() - {"transactions"} == (PRAGUE & block.keys()) | {"hash", "newRoot"}
    assert (fields["newRoot"], fields["hash"]) == (word(1), block["hash"])


def test_header_fields_are_the_same_with_and_without_transactions_in_full() -> None:
    block = with_new_type().decoded()[0]
    hashes = [tx["hash"] for tx in block["transactions"]]
    bare = json.dumps(block | {"transactions": hashes}).encode()
    assert header_fields(bare) == header_fields(json.dumps(block).encode())


@pytest.mark.parametrize("field", ["hash", "stateRoot", "newRoot", "transactions"])
def test_header_fields_differ_where_headers_or_transactions_do(field: str) -> None:
    block = plain().decoded()[0] | {"newRoot": word(1)}
    other = [word(2)] if field == "transactions" else flipped(block[field], field)
    changed = json.dumps(block | {field: other}).encode()
    assert header_fields(changed) != header_fields(json.dumps(block).encode())


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b'{"transactions": [1]}', b"\xff"])
def test_header_fields_of_what_is_no_block_are_refused(content: bytes) -> None:
    with pytest.raises(ChainDataError, match="malformed block"):
        header_fields(content)


# Amsterdam logs every move of the coin (EIP-7708): one route for all of it, and no other.

SYSTEM = "0x" + "f" * 39 + "e"
AFTER = {"blockAccessListHash": word(7), "slotNumber": "0x1"} | dict.fromkeys(
    ("withdrawalsRoot", "parentBeaconBlockRoot", "requestsHash"), word(0)
) | dict.fromkeys(("baseFeePerGas", "blobGasUsed", "excessBlobGas"), "0x0")  # fmt: skip


def moved(amount: int, **fields: Json) -> Json:
    """The chain's log of a move from PAYER to SHOP."""
    return make_log(amount, address=SYSTEM, **fields)


def after_fork(*logs: Json, status: str = "0x1", **tx: Json) -> Answers:
    """A block of Amsterdam whose one transaction sends 7 wei, unless it says otherwise."""
    pair = make_transaction(**tx), make_receipt(*logs, status=status)
    return make_answers(pair, withdrawals=[], **{**AFTER, "withdrawalsRoot": f"0x{EMPTY_ROOT}"})


def paid(reading: Reading) -> list[tuple[str, int]]:
    return [(move.position, move.units) for move in reading.block.transfers]


def test_a_logged_move_is_counted_once_and_the_value_not_again() -> None:
    reading = read(after_fork(moved(7)))
    assert paid(reading) == [("log/0", 7)]
    assert (reading.block.transfers[0].method, reading.unknown_fields) == (NATIVE, ())


def test_what_contracts_send_is_in_the_logs_of_amsterdam() -> None:
    assert paid(read(after_fork(moved(7), make_log(4), moved(5)), TOKEN)) == [
        ("log/0", 7),
        ("log/1", 4),
        ("log/2", 5),
    ]


def test_such_a_log_before_amsterdam_is_nothing() -> None:
    answers = make_answers((make_transaction(), make_receipt(moved(7), moved(5))))
    assert paid(read(answers)) == [("value", 7)]


def test_traces_of_a_block_that_logs_moves_count_nothing() -> None:
    answers = after_fork(moved(7))
    traces = call_traces(answers, [make_call(7, make_call(5), **{"from": PAYER})])
    reading = read_block(answers.block, answers.receipts, listing(), traces)
    assert paid(reading) == [("log/0", 7)]


@pytest.mark.parametrize(
    ("logs", "tx"),
    [
        ((), {}),
        ((moved(6),), {}),
        ((make_log(7),), {}),
        ((moved(7),), {"to": TOKEN}),
        ((), {"to": None}),
    ],
    ids=["no log", "another amount", "a token's", "another recipient", "none of a creation"],
)
def test_a_value_that_amsterdam_did_not_log_is_refused(logs: list[Json], tx: Json) -> None:
    with pytest.raises(ChainDataError, match=r"block 100: .* moved a value that no log tells of"):
        read(after_fork(*logs, **tx))


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"value": "0x0"}, "0x1"), ({"to": PAYER}, "0x1"), ({}, "0x0")],
    ids=["no value", "to oneself", "failed"],
)
def test_what_moves_nothing_needs_no_log(fields: Json, status: str) -> None:
    assert paid(read(after_fork(status=status, **fields))) == []


def test_a_creation_is_logged_to_the_contract_that_it_creates() -> None:
    created = moved(7, topics=[*moved(7)["topics"][:2], word(int(TOKEN, 16))])
    (move,) = read(after_fork(created, to=None)).block.transfers
    assert (move.to, move.units) == (TOKEN, 7)
