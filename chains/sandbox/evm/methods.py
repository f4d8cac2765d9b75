"""The JSON-RPC methods that the node answers, from what the chain holds."""

from __future__ import annotations

from typing import Any

import msgspec

from chains.evm.address import parse
from chains.evm.rlp import number
from chains.sandbox.chain import Json
from chains.sandbox.control import Faults
from chains.sandbox.evm.chain import EvmChain, Mined
from chains.sandbox.evm.lies import told
from chains.sandbox.evm.machine import Frame, Machine
from chains.sandbox.evm.polygon import NOBODY
from chains.sandbox.evm.rpc import Method, RpcError
from chains.sandbox.evm.traces import parity_traces
from chains.sandbox.state import State, coin, nonce


class CallObject(msgspec.Struct, frozen=True):
    """What `eth_call` shall call; `input` is the newer name of `data`."""

    to: str
    data: str = "0x"
    input: str | None = None
    sender: str = msgspec.field(default=NOBODY, name="from")
    value: str = "0x0"


class At(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A block by what names it alone (EIP-1898)."""

    block_hash: str | None = None
    block_number: str | None = None
    require_canonical: bool = False


class Tracer(msgspec.Struct, frozen=True):
    """Which tracer is wanted."""

    tracer: str = ""


class Methods:
    """Answers by method name; `Methods.named[name](*params)`.

    Args:
        finality_blocks: how far below the head the newest final block is.
    """

    def __init__(self, chain: EvmChain, faults: Faults, finality_blocks: int) -> None:
        self._chain, self._faults, self._finality_blocks = chain, faults, finality_blocks
        self.named: dict[str, Method] = {
            "web3_clientVersion": lambda: f"deposit-watcher-sandbox/{chain.flavour.name}",
            "net_version": lambda: str(self._chain_id()),
            "eth_chainId": lambda: hex(self._chain_id()),
            "eth_syncing": lambda: False,
            "eth_blockNumber": lambda: hex(self._head()),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionCount": self._transaction_count,
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_call": self._call,
            "debug_traceBlockByHash": self._trace_block,
            "trace_block": self._parity_traces,
        }

    def _chain_id(self) -> int:
        return self._chain.flavour.chain_id + int(self._faults.wrong_chain)

    def _head(self) -> int:
        return max(0, self._chain.head.number - self._faults.lag)

    def _number(self, tag: str) -> int:
        match tag:
            case "latest" | "pending":
                return self._head()
            case "safe":
                return max(0, self._head() - self._finality_blocks // 2)
            case "finalized":
                return max(0, self._head() - self._finality_blocks - self._faults.final_lag)
            case "earliest":
                return 0
        return number(tag)

    def _mined(self, tag: str) -> Mined | None:
        """The block at a number or tag, if the node admits that it has it."""
        asked = self._number(tag)
        return self._chain.block(asked) if asked <= self._head() else None

    def _mined_by_hash(self, block_hash: str) -> Mined | None:
        mined = self._chain.block_of(block_hash)
        return mined if mined is not None and mined.number <= self._head() else None

    def _block_by_number(self, tag: str, full: bool) -> Json | None:
        return self._shown(self._mined(tag), full)

    def _block_by_hash(self, block_hash: str, full: bool) -> Json | None:
        return self._shown(self._mined_by_hash(block_hash), full)

    def _shown(self, mined: Mined | None, full: bool) -> Json | None:
        if mined is None:
            return None
        block, _ = told(self._faults.lie, mined.block, mined.receipts)
        if full:
            return block
        return {**block, "transactions": [tx["hash"] for tx in block["transactions"]]}

    def _block_receipts(self, block: str) -> list[Any] | None:
        by_hash = len(block) == 66
        mined = self._mined_by_hash(block) if by_hash else self._mined(block)
        if mined is None or self._faults.absent:
            return None
        return told(self._faults.lie, mined.block, mined.receipts)[1]

    def _transaction(self, tx_hash: str) -> Json | None:
        found = self._find(tx_hash)
        return None if found is None else found[0].block["transactions"][found[1]]

    def _receipt(self, tx_hash: str) -> Json | None:
        found = self._find(tx_hash)
        return None if found is None or self._faults.absent else found[0].receipts[found[1]]

    def _find(self, tx_hash: str) -> tuple[Mined, int] | None:
        found = self._chain.find(tx_hash)
        return found if found is not None and found[0].number <= self._head() else None

    def _trace_block(self, block_hash: str, options: Tracer) -> list[Json]:
        if options.tracer != "callTracer":
            raise RpcError(-32000, "this node has only the callTracer")
        mined = self._mined_by_hash(block_hash)
        if mined is None:
            raise RpcError(-32000, f"block {block_hash} not found")
        return mined.traces

    def _parity_traces(self, tag: str) -> list[Json] | None:
        mined = self._mined(tag)
        return None if mined is None else parity_traces(mined)

    def _balance(self, address: str, tag: str | At) -> str:
        return hex(self._state_key(coin(parse(address)), tag))

    def _transaction_count(self, address: str, tag: str | At) -> str:
        return hex(self._state_key(nonce(parse(address)), tag))

    def _state_key(self, key: str, tag: str | At) -> int:
        return self._state(tag)[key]

    def _state(self, tag: str | At) -> State:
        """What accounts held after a block, in geth's words if that is not known."""
        if isinstance(tag, At) and tag.block_hash is not None:
            mined = self._mined_by_hash(tag.block_hash)
        else:
            named = tag.block_number if isinstance(tag, At) else tag
            mined = None if named is None else self._mined(named)
        if mined is None:
            raise RpcError(-32000, "header not found")
        kept = self._faults.states
        if kept is not None and mined.number <= self._head() - kept:
            raise RpcError(-32000, f"missing trie node {mined.block['stateRoot'][2:]} (path )")
        return self._chain.state_after(mined.number)

    def _code(self, address: str, tag: str | At) -> str:
        self._state(tag)
        contract = self._chain.flavour.contracts.get(parse(address))
        return "0x" if contract is None else contract.code

    def _call(self, call: CallObject, tag: str | At = "latest") -> str:
        """What a call would give; it changes nothing, since it runs on a copy."""
        flavour, state = self._chain.flavour, self._state(tag)
        data = bytes.fromhex((call.data if call.input is None else call.input)[2:])
        frame = Frame(parse(call.sender), parse(call.to), number(call.value), data)
        Machine(state, flavour.contracts, flavour.log_move).call(frame)
        if frame.error is not None:
            raise RpcError(3, frame.error)
        return f"0x{frame.output.hex()}"
