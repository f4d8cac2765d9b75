"""What a java-tron node sends for a block and its transactions' infos, with `visible` false.

Its JSON drops every field that is zero or empty, so those have defaults; what is always there has
none. The JSON `raw_data` of a transaction is left unread: only `raw_data_hex` is under its hash.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from chains.base import ChainDataError
from watcher.domain.blocks import BlockRef, Hash

T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Word = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Message(msgspec.Struct, gc=False, rename="camel"):
    """An object of the HTTP interface; fields that it does not name are ignored."""


class RawHeader(Message):
    """The part of a header that is hashed and signed."""

    parent_hash: Word
    tx_trie_root: str = ""
    timestamp: Count = 0
    """Milliseconds; 0 in a genesis block."""
    number: Count = 0
    witness_id: Count = msgspec.field(name="witness_id", default=0)
    witness_address: str = msgspec.field(name="witness_address", default="")
    version: Count = 0
    account_state_root: str = ""


class Header(Message):
    """A block's header."""

    raw_data: RawHeader = msgspec.field(name="raw_data")
    witness_signature: str = msgspec.field(name="witness_signature", default="")
    """Empty in a genesis block only."""


class Head(Message):
    """A block without a look at its transactions."""

    block_id: Word = msgspec.field(name="blockID")
    block_header: Header = msgspec.field(name="block_header")

    @property
    def ref(self) -> BlockRef:
        header = self.block_header.raw_data
        return BlockRef(
            header.number,
            Hash(self.block_id),
            Hash(header.parent_hash),
            header.timestamp // 1000,
        )


class Result(Message):
    """What the block's producer says that became of a transaction; under the header's hash."""

    fee: Count = 0
    ret: str = "SUCESS"  # spelt so in the protocol
    contract_ret: str = "DEFAULT"


class Transaction(Message):
    """A transaction in a block."""

    tx_id: Word = msgspec.field(name="txID")
    raw_data_hex: str = msgspec.field(name="raw_data_hex")
    signature: list[str] = []
    ret: list[Result] = []


class Block(Head):
    """A block with its transactions."""

    transactions: list[Transaction] = []


class Receipt(Message):
    """What a transaction used."""

    result: str | None = None
    """None: it ran no code."""


class Log(Message):
    """What a contract told."""

    address: str = ""
    topics: list[str] = []
    data: str = ""


class CallValue(Message):
    """What an internal call moved: TRX, or where `token_id` says so a TRC-10 token."""

    call_value: Annotated[int, msgspec.Meta(le=2**63 - 1)] = 0
    token_id: str | None = None


class Internal(Message):
    """A call from a contract."""

    caller_address: str = msgspec.field(name="caller_address", default="")
    transfer_to_address: str = msgspec.field(name="transferTo_address", default="")
    call_value_info: list[CallValue] = []
    note: str = ""
    rejected: bool = False


class Info(Message):
    """What a transaction did; under no hash."""

    id: str
    block_number: int
    block_time_stamp: int
    receipt: Receipt = msgspec.field(default_factory=Receipt)
    result: str | None = None
    """FAILED or nothing."""
    log: list[Log] = []
    internal_transactions: list[Internal] = msgspec.field(
        name="internal_transactions", default_factory=list
    )


_block = msgspec.json.Decoder(Block)
_infos = msgspec.json.Decoder(list[Info])


def decode_block(content: bytes) -> Block:
    """The block in a node's answer; raises ChainDataError."""
    return _decode(_block, content, "block")


def decode_infos(content: bytes) -> list[Info]:
    """The infos in a node's answer; raises ChainDataError."""
    return _decode(_infos, content, "infos")


def _decode(decoder: msgspec.json.Decoder[T], content: bytes, what: str) -> T:
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ChainDataError(f"malformed {what}: {error}") from error
