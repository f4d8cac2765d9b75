"""Blocks made to order, with true ids, root and signature."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec
from coincurve import PrivateKey

from chains.tvm.address import raw_of_key
from chains.tvm.messages import Head, RawHeader, Transaction
from chains.tvm.proof import encode_header, encode_transaction, merkle_root
from chains.tvm.protobuf import content, integer, message
from tests.chains.tvm.recorded import Answers, Json, encoded

KEY = PrivateKey(b"\x07" * 32)
WITNESS = "41" + raw_of_key(KEY.public_key.format(compressed=False)[1:]).hex()
PAYER, SHOP, TOKEN, CONTRACT = (f"41{digit * 40}" for digit in "abcd")
TRANSFER = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
NUMBER, MILLISECONDS = 7, 1_700_000_000_000
PARENT = f"{NUMBER - 1:016x}" + 48 * "1"
OUT_OF_TIME = "OUT_OF_TIME"


def make_raw(kind: int, name: str, value: bytes, *, nonce: int = 0) -> bytes:
    """The raw data of a transaction with one contract."""
    parameter = content(1, f"type.googleapis.com/protocol.{name}".encode()) + content(2, value)
    contract = integer(1, kind) + message(2, parameter)
    return content(1, b"\x00\x06") + integer(8, MILLISECONDS + nonce) + message(11, contract)


def transfer(amount: int = 7, to: str = SHOP, *, nonce: int = 0) -> bytes:
    """A payment of TRX."""
    value = _address(1, PAYER) + _address(2, to) + integer(3, amount)
    return make_raw(1, "TransferContract", value, nonce=nonce)


def transfer_asset(token: str, amount: int = 7, to: str = SHOP) -> bytes:
    """A payment of a TRC-10 token."""
    names = content(1, token.encode()) + _address(2, PAYER) + _address(3, to)
    return make_raw(2, "TransferAssetContract", names + integer(4, amount))


def trigger(
    value: int = 0, to: str = CONTRACT, *, token: int = 0, tokens: int = 0, nonce: int = 0
) -> bytes:
    """A call of a contract."""
    call = _address(1, PAYER) + _address(2, to) + integer(3, value)
    with_token = integer(5, tokens) + integer(6, token)
    return make_raw(31, "TriggerSmartContract", call + with_token, nonce=nonce)


def make_log(amount: int = 5, *, address: str = TOKEN, **fields: Json) -> Json:
    """A Transfer of TOKEN from PAYER to SHOP."""
    topics = [TRANSFER, word(PAYER), word(SHOP)]
    return {"address": address[2:], "topics": topics, "data": f"{amount:064x}", **fields}


def make_call(amount: int = 5, **fields: Json) -> Json:
    """A call from CONTRACT that pays SHOP."""
    accounts = {"caller_address": CONTRACT, "transferTo_address": SHOP}
    paid = {"callValueInfo": [{"callValue": amount}], "note": b"call".hex()}
    return {"hash": 64 * "0", **accounts, **paid, **fields}


def word(address: str) -> str:
    """The 20 bytes of an address in 32."""
    return 24 * "0" + address[2:]


def make_answers(
    *pairs: tuple[bytes, Json],
    results: Sequence[str] | None = None,
    key: PrivateKey = KEY,
    **header: Json,
) -> Answers:
    """The sealed block of these transactions with these infos, as a node sends it.

    `results` are what the block says of each transaction; by default that they succeeded.
    """
    codes = results or ["SUCCESS"] * len(pairs)
    transactions = [
        make_transaction(raw, code) for (raw, _), code in zip(pairs, codes, strict=True)
    ]
    leaves = [
        encode_transaction(msgspec.convert(tx, Transaction), raw)
        for tx, (raw, _) in zip(transactions, pairs, strict=True)
    ]
    root = merkle_root([sha256(leaf).digest() for leaf in leaves]).hex()
    block = {**seal({"txTrieRoot": root, **header}, key), "transactions": transactions}
    made = block["block_header"]["raw_data"]
    infos = [
        {
            "id": tx["txID"],
            "blockNumber": made["number"],
            "blockTimeStamp": made["timestamp"],
            **_outcome(raw, code),
            **info,
        }
        for tx, (raw, info), code in zip(transactions, pairs, codes, strict=True)
    ]
    return encoded(block if pairs else {**block, "transactions": []}, infos)


def make_transaction(raw: bytes, code: str = "SUCCESS") -> Json:
    """A transaction with a signature that nobody checks: only the header's counts.

    No `code` is no result at all.
    """
    tx_id = sha256(raw).hexdigest()
    return {
        "ret": [{"contractRet": code}] if code else [],
        "signature": ["5e" * 65],
        "txID": tx_id,
        "raw_data": {"contract": []},
        "raw_data_hex": raw.hex(),
    }


def seal(header: Json, key: PrivateKey = KEY) -> Json:
    """A block of this header with its id and signature."""
    plain = {"number": NUMBER, "timestamp": MILLISECONDS, "parentHash": PARENT, "version": 32}
    fields = {**plain, "witness_address": WITNESS, **header}
    digest = sha256(encode_header(msgspec.convert(fields, RawHeader))).digest()
    signature = key.sign_recoverable(digest, hasher=None).hex()
    block = {
        "blockID": f"{fields['number']:016x}{digest[8:].hex()}",
        "block_header": {"raw_data": fields, "witness_signature": signature},
    }
    msgspec.convert(block, Head)
    return block


def _outcome(raw: bytes, code: str) -> Json:
    receipt = {"result": code} if b"SmartContract" in raw else {"net_usage": 267}
    return {"receipt": receipt} | ({} if code == "SUCCESS" else {"result": "FAILED"})


def _address(field: int, address: str) -> bytes:
    return content(field, bytes.fromhex(address))
