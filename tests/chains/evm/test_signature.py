"""Who signed a transaction: of every type, on mainnet and made to order."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest

from chains.evm.encoding import transaction_type
from chains.evm.messages import Transaction
from chains.evm.signature import signer
from tests.chains.evm.made import SIGNER, ZERO_HASH, make_transaction, signed
from tests.chains.evm.recorded import Json
from tests.realdata import realdata

FEES = {"maxPriorityFeePerGas": "0x1", "maxFeePerGas": "0x2", "chainId": "0x1", "accessList": []}
LENT = {"chainId": "0x1", "address": "0x" + "d" * 40, "nonce": "0x0", "yParity": "0x1"}
KINDS: list[Json] = [
    {},
    {"type": "0x1", "chainId": "0x1", "accessList": [{"address": SIGNER, "storageKeys": []}]},
    {"type": "0x2", **FEES},
    {"type": "0x3", **FEES, "maxFeePerBlobGas": "0x1", "blobVersionedHashes": [ZERO_HASH]},
    {"type": "0x4", **FEES, "authorizationList": [{**LENT, "r": "0x1", "s": "0x1"}]},
]


def read(tx: Json) -> Transaction:
    return msgspec.convert({"hash": "", **tx}, Transaction)


def test_everyone_who_sent_a_recorded_transaction_signed_it() -> None:
    kinds: Counter[int] = Counter()
    for path in sorted(realdata("ethereum").glob("mainnet-*.block.json")):
        for tx in map(read, json.loads(path.read_text())["transactions"]):
            assert signer(tx) == tx.sender.lower(), tx.hash
            kinds[transaction_type(tx)] += 1
    assert kinds == {0: 828, 2: 1703, 3: 7, 4: 5}


@pytest.mark.parametrize("kind", KINDS, ids=["legacy", "2930", "1559", "4844", "7702"])
def test_whoever_signs_is_recovered_and_another_after_any_change(kind: Json) -> None:
    tx = signed(make_transaction(**kind))
    assert signer(read(tx)) == SIGNER
    assert signer(read({**tx, "value": "0x8"})) != SIGNER


def test_before_eip_155_no_chain_id_was_signed() -> None:
    tx = signed(make_transaction(v="0x1b"))
    assert int(tx["v"], 16) in (27, 28)
    assert signer(read(tx)) == SIGNER
