"""Answers that a node could make up, one lie each: what the block's id commits to is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256

import pytest
from coincurve import PrivateKey

from chains.base import ChainDataError, ChainUnavailable
from chains.tvm.address import raw_of_key, text
from chains.tvm.proof import merkle_root
from tests.chains.tvm.made import (
    MILLISECONDS,
    NUMBER,
    PARENT,
    SHOP,
    TOKEN,
    WITNESS,
    make_answers,
    make_call,
    make_log,
    make_raw,
    make_transaction,
    seal,
    transfer,
    trigger,
)
from tests.chains.tvm.recorded import PRIVATE, Answers, Json, chain, encoded, read

Change = Callable[[Json, Json], object]

PAID = [(transfer(), {}), (trigger(), {"log": [make_log()]}), (transfer(9, nonce=1), {})]


def lie(change: Change, answers: Answers) -> Answers:
    """The answers after `change` had its hands on them."""
    block, infos = json.loads(answers.block), json.loads(answers.infos)
    change(block, infos)
    return encoded(block, infos)


def header(name: str, value: Json) -> Change:
    return lambda block, infos: block["block_header"]["raw_data"].update({name: value})


def tx(index: int, name: str, value: Json) -> Change:
    return lambda block, infos: block["transactions"][index].update({name: value})


def info(index: int, name: str, value: Json) -> Change:
    return lambda block, infos: infos[index].update({name: value})


def swap(rows: list[Json]) -> None:
    rows[0], rows[1] = rows[1], rows[0]


def forge(block: Json, infos: Json) -> None:
    """A dearer payment under an id that fits it."""
    made = make_transaction(transfer(10**9))
    block["transactions"][0] = made
    infos[0]["id"] = made["txID"]


ROOT, ID = "do not give its txTrieRoot", "does not give its blockID"
LIES: dict[str, tuple[Change, str]] = {
    "another id": (lambda block, infos: block.update(blockID=PARENT), ID),
    "another time": (header("timestamp", 1_700_000_003_000), ID),
    "another parent": (header("parentHash", PARENT[:-1] + "2"), ID),
    "another root": (header("txTrieRoot", "77" * 32), ID),
    "another version": (header("version", 33), ID),
    "another number": (header("number", NUMBER + 1), ID),
    "another witness": (header("witness_address", SHOP), ID),
    "another raw data": (tx(0, "raw_data_hex", transfer(8).hex()), "do not give its id"),
    "another result": (tx(0, "ret", [{"contractRet": "REVERT"}]), ROOT),
    "no result": (tx(0, "ret", []), ROOT),
    "another signature": (tx(0, "signature", ["5f" * 65]), ROOT),
    "a forged transaction": (forge, ROOT),
    "swapped transactions": (lambda block, infos: swap(block["transactions"]), ROOT),
    "last transaction missing": (lambda block, infos: block["transactions"].pop(), ROOT),
    "one transaction twice": (
        lambda block, infos: block["transactions"].append(block["transactions"][2]),
        ROOT,
    ),
    "last info missing": (lambda block, infos: infos.pop(), "infos are not those"),
    "swapped infos": (lambda block, infos: swap(infos), "infos are not those"),
    "info twice": (lambda block, infos: infos.append(infos[0]), "infos are not those"),
    "null info": (lambda block, infos: infos.append(None), "malformed infos"),
    "info of another block": (info(0, "blockNumber", NUMBER + 1), "is of another block"),
    "info of another time": (info(0, "blockTimeStamp", 1), "is of another block"),
    "info says it failed": (info(1, "result", "FAILED"), "is SUCCESS, its info FAILED"),
    "receipt says it failed": (info(1, "receipt", {"result": "REVERT"}), "its receipt REVERT"),
    "receipt without result": (info(1, "receipt", {}), "its receipt None"),
    "log of a transfer": (info(0, "log", [make_log()]), "runs no code"),
    "call of a transfer": (info(0, "internal_transactions", [make_call()]), "runs no code"),
    "log no hexadecimal": (info(1, "log", [make_log(data="zz")]), "block 7: non-hexadecimal"),
    "block no object": (lambda block, infos: block.clear(), "malformed block"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_and_names_what_is_wrong(name: str) -> None:
    change, reason = LIES[name]
    with pytest.raises(ChainDataError, match=reason):
        read(lie(change, make_answers(*PAID)), TOKEN)


def test_the_block_of_the_lies_is_true() -> None:
    assert len(read(make_answers(*PAID), TOKEN).block.transfers) == 3


def test_infos_that_are_not_there_yet_are_no_lie() -> None:
    with pytest.raises(ChainUnavailable, match="no infos yet of block 7"):
        read(make_answers(*PAID)._replace(infos=b"[]"), TOKEN)


def test_a_block_without_transactions_has_no_infos() -> None:
    assert read(make_answers(txTrieRoot="00" * 32)).block.transfers == ()


def test_what_the_json_beside_the_raw_bytes_says_is_not_looked_at() -> None:
    value = {"owner_address": SHOP, "to_address": SHOP, "amount": 10**12}
    contract = {"type": "TransferContract", "parameter": {"value": value}}
    told = lie(tx(0, "raw_data", {"contract": [contract]}), make_answers(*PAID))
    assert [each.units for each in read(told, TOKEN).block.transfers] == [7, 5, 9]


def test_a_witness_that_signed_itself_is_not_named() -> None:
    assert read(make_answers(*PAID)).signer is None


def test_who_signed_for_a_witness_is_named() -> None:
    other = PrivateKey(b"\x09" * 32)
    reading = read(make_answers(*PAID, key=other))
    assert reading.signer == text(raw_of_key(other.public_key.format(compressed=False)[1:]))
    assert reading.witness == text(bytes.fromhex(WITNESS)[1:])


@pytest.mark.parametrize("signature", ["", "00" * 65, "5e" * 64, "5e" * 64 + "07"])
def test_a_block_that_nobody_signed_is_refused(signature: str) -> None:
    def unsign(block: Json, infos: Json) -> None:
        block["block_header"]["witness_signature"] = signature

    with pytest.raises(ChainDataError, match="its witness_signature is"):
        read(lie(unsign, make_answers(*PAID)))


def test_a_parent_at_another_height_is_refused() -> None:
    with pytest.raises(ChainDataError, match="not that of the block below"):
        read(make_answers(*PAID, parentHash=f"{NUMBER:016x}" + 48 * "1"))


@pytest.mark.parametrize("witness", ["", "41", SHOP[2:], "42" + SHOP[2:], SHOP + "00"])
def test_a_witness_that_is_no_address_is_refused(witness: str) -> None:
    with pytest.raises(ChainDataError, match="its witness_address is none"):
        read(make_answers(*PAID, witness_address=witness))


@pytest.mark.parametrize(
    ("result", "reason"), [("", "has 0 results"), ("WON", "unknown result WON")]
)
def test_a_transaction_has_one_known_result(result: str, reason: str) -> None:
    answers = make_answers((transfer(), {}), results=["SUCCESS" if result else ""])
    told = lie(tx(0, "ret", [{"contractRet": result}] if result else []), answers)
    with pytest.raises(ChainDataError, match=reason):
        read(told)


@pytest.mark.parametrize("field", ["blockID", "parentHash"])
def test_a_hash_is_lower_case(field: str) -> None:
    def raised(block: Json, infos: Json) -> None:
        place = block if field == "blockID" else block["block_header"]["raw_data"]
        place[field] = ("ab" + place[field][2:]).upper()

    with pytest.raises(ChainDataError, match="malformed block"):
        read(lie(raised, make_answers(*PAID)))


@pytest.mark.parametrize("number", [-1, 2**63, 2**70])
def test_a_number_that_no_block_has_is_refused(number: int) -> None:
    with pytest.raises(ChainDataError, match="malformed block"):
        read(lie(header("number", number), make_answers(*PAID)))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "0 contracts instead of 1"),
        (transfer() + transfer(), "2 contracts instead of 1"),
        (b"\xff", "not a protobuf message"),
        (make_raw(1, "TriggerSmartContract", b""), "is not a TransferContract"),
    ],
)
def test_raw_data_of_another_shape_are_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(ChainDataError, match=reason):
        read(make_answers((raw, {})))


def test_two_hashes_of_the_tree_are_no_transaction() -> None:
    """Side by side they may read like one whole transaction, and keep the root; but no result."""
    left, right = b"\x0a\x3e" + bytes(30), bytes(32)
    raw = (left + right)[2:]
    made = {"txID": sha256(raw).hexdigest(), "raw_data_hex": raw.hex()}
    block = {**seal({"txTrieRoot": merkle_root([left, right]).hex()}), "transactions": [made]}
    info = {"id": made["txID"], "blockNumber": NUMBER, "blockTimeStamp": MILLISECONDS}
    with pytest.raises(ChainDataError, match=r"contracts instead of 1|not a protobuf message"):
        read(encoded(block, [info]))


def digits(block: Json) -> Iterator[tuple[Json, str]]:
    """Every text of hexadecimal digits under the id of a block: what holds it, and its name."""
    for name in ("txTrieRoot", "parentHash", "witness_address"):
        yield block["block_header"]["raw_data"], name
    for tx in block["transactions"]:
        yield tx, "txID"
        yield tx, "raw_data_hex"


@pytest.mark.parametrize("number", [4, 12, 13, 21])
def test_no_digit_under_the_id_of_a_true_block_may_change(number: int) -> None:
    blocks, infos = chain(*PRIVATE)
    for place, name in digits(blocks[number]):
        true = place[name]
        at = len(true) // 2
        place[name] = true[:at] + ("1" if true[at] != "1" else "2") + true[at + 1 :]
        with pytest.raises(ChainDataError):
            read(encoded(blocks[number], infos[number]))
        place[name] = true
    assert read(encoded(blocks[number], infos[number])).block.ref.number == number
