"""The bytes that are hashed, field by field as in java-tron's Tron.proto."""

from __future__ import annotations

from hashlib import sha256

import pytest

from chains.tvm.messages import RawHeader, Result, Transaction
from chains.tvm.proof import encode_header, encode_transaction, merkle_root

A, B, C, D, E = (bytes([digit]) * 32 for digit in range(1, 6))


def joined(*leaves: bytes) -> bytes:
    return sha256(b"".join(leaves)).digest()


def test_a_header_has_its_fields_in_order() -> None:
    header = RawHeader(
        parent_hash=B.hex(),
        tx_trie_root=A.hex(),
        timestamp=1,
        number=2,
        witness_id=3,
        witness_address="41" + "44" * 20,
        version=5,
        account_state_root=C.hex(),
    )
    assert encode_header(header).hex() == (
        "0801"
        + f"1220{A.hex()}"
        + f"1a20{B.hex()}"
        + "3802"
        + "4003"
        + f"4a1541{'44' * 20}"
        + "5005"
        + f"5a20{C.hex()}"
    )


def test_a_transaction_is_its_raw_data_its_signatures_and_its_results() -> None:
    results = [Result(fee=6, ret="FAILED", contract_ret="OUT_OF_TIME"), Result()]
    tx = Transaction(tx_id="", raw_data_hex="", signature=["aa", "bbcc"], ret=results)
    encoded = encode_transaction(tx, b"\x77\x88").hex()
    assert encoded == "0a027788" + "1201aa" + "1202bbcc" + "2a060806" + "1001" + "180b" + "2a00"


@pytest.mark.parametrize(
    ("leaves", "root"),
    [
        ([], bytes(32)),
        ([A], A),
        ([A, B], joined(A, B)),
        ([A, B, C], joined(joined(A, B), C)),
        ([A, B, C, D, E], joined(joined(joined(A, B), joined(C, D)), E)),
    ],
)
def test_the_last_of_an_odd_number_rises_as_it_is(leaves: list[bytes], root: bytes) -> None:
    assert merkle_root(leaves) == root
