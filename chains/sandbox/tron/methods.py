"""What the node answers under `wallet/` and `walletsolidity/`, from what the chain holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from Crypto.Hash import keccak

from chains.sandbox.chain import Json
from chains.sandbox.control import Faults
from chains.sandbox.evm.flavour import silent
from chains.sandbox.evm.machine import Frame, Machine
from chains.sandbox.state import coin, holding
from chains.sandbox.tron.accounts import heard, wire
from chains.sandbox.tron.chain import Mined, TronChain
from chains.sandbox.tron.lies import told
from chains.sandbox.tron.orders import VALID_MILLISECONDS, contract_of, with_id
from chains.sandbox.tron.sealing import genesis
from chains.tvm.contracts import NAMES, TRIGGER_SMART
from watcher.domain.money import Address

NO_CONTRACT = b"Smart contract is not exist."
CONSTANT_ENERGY = 650


class Params(msgspec.Struct, frozen=True):
    """What may be asked with. What is left out is zero or empty, as in protobuf."""

    num: int = 0
    id_or_num: str = ""
    detail: bool = False
    value: str = ""
    address: str = ""
    visible: bool = False
    owner_address: str = ""
    contract_address: str = ""
    function_selector: str = ""
    parameter: str = ""
    data: str = ""


Answer = Json | list[Any]
Method = Callable[[Params, int], Answer]
"""(what is asked, number of the newest block that may be spoken of) -> the answer."""


class Methods:
    """Answers by path; `Methods.answer(path)(params)`.

    Args:
        finality_blocks: how far below the head the solidified block is.
    """

    def __init__(self, chain: TronChain, faults: Faults, finality_blocks: int) -> None:
        self._chain, self._faults, self._finality_blocks = chain, faults, finality_blocks
        both: dict[str, Method] = {
            "getblockbynum": self._block_by_number,
            "getblock": self._block,
            "getnowblock": lambda params, top: self._shown(top),
            "gettransactioninfobyblocknum": self._infos,
            "gettransactioninfobyid": self._info,
            "gettransactionbyid": self._transaction,
            "getaccount": self._account,
            "triggerconstantcontract": self._constant,
        }
        wallet: dict[str, Method] = {
            **both,
            "getassetissuebyid": self._issued,
            "getnodeinfo": self._node_info,
        }
        self._named = {
            **{f"wallet/{name}": (method, 0) for name, method in wallet.items()},
            **{
                f"walletsolidity/{name}": (method, finality_blocks) for name, method in both.items()
            },
        }

    def answer(self, path: str) -> Callable[[Params], Answer] | None:
        """What answers under that path; None: there is no such."""
        if path not in self._named:
            return None
        method, below = self._named[path]
        return lambda params: method(params, max(0, self._head() - below))

    def _head(self) -> int:
        return max(0, self._chain.head.number - self._faults.lag)

    def _mined(self, number: int, top: int) -> Mined | None:
        """The block at a number, if the node admits that it has it."""
        return self._chain.block(number) if 0 <= number <= top else None

    def _shown(self, number: int) -> Json:
        mined = self._chain.block(number)
        if mined is None:
            return {}
        if number == 0 and self._faults.wrong_chain:
            return genesis("another chain")
        return told(self._faults.lie, mined.block, mined.infos)[0]

    def _block_by_number(self, params: Params, top: int) -> Json:
        return self._shown(params.num) if 0 <= params.num <= top else {}

    def _block(self, params: Params, top: int) -> Json:
        """By number or id, none: the newest; without transactions unless `detail` is asked for."""
        asked = params.id_or_num
        if len(asked) == 64:
            mined = self._chain.block_of(asked)
        else:
            mined = self._mined(int(asked) if asked else top, top)
        if mined is None or mined.number > top:
            return {}
        block = self._shown(mined.number)
        hidden = () if params.detail else ("transactions",)
        return {name: part for name, part in block.items() if name not in hidden}

    def _infos(self, params: Params, top: int) -> Answer:
        if params.num <= 0:
            return {}
        mined = self._mined(params.num, top)
        if mined is None or self._faults.absent:
            return []
        return told(self._faults.lie, mined.block, mined.infos)[1]

    def _info(self, params: Params, top: int) -> Json:
        found = self._found(params, top)
        if found is None or self._faults.absent or not found[0].infos:
            return {}
        return found[0].infos[found[1]]

    def _transaction(self, params: Params, top: int) -> Json:
        """Also one that a fork left out, as if it still counted (chains.md 4.8)."""
        found = self._found(params, top)
        if found is None:
            return self._chain.dropped.get(params.value, {})
        tx: Json = found[0].block["transactions"][found[1]]
        return tx

    def _found(self, params: Params, top: int) -> tuple[Mined, int] | None:
        bytes.fromhex(params.value)  # what is no hex is an error, not an absence
        found = self._chain.find(params.value)
        return found if found is not None and found[0].number <= top else None

    def _account(self, params: Params, top: int) -> Json:
        """What an account holds; nobody knows of one that holds nothing."""
        address, state = heard(params.address), self._chain.state_after(top)
        units = {name: state[holding(Address(name), address)] for name in self._chain.flavour.coins}
        coins = [{"key": name, "value": held} for name, held in units.items() if held > 0]
        balance = state[coin(address)]
        if balance <= 0 and not coins:
            return {}
        keys = [{"address": wire(address), "weight": 1}]
        return {
            "address": wire(address),
            **({"balance": balance} if balance else {}),
            "owner_permission": {"permission_name": "owner", "threshold": 1, "keys": keys},
            **({"assetV2": coins} if coins else {}),
        }

    def _issued(self, params: Params, top: int) -> Json:
        """A TRC-10 token; like any field, a precision of 0 is left out."""
        if params.value not in self._chain.flavour.coins:
            return {}
        decimals = self._chain.flavour.coins[params.value]
        return {"id": params.value, **({"precision": decimals} if decimals else {})}

    def _constant(self, params: Params, top: int) -> Json:
        """What a call would give; it changes nothing, since it runs on a copy."""
        contract, flavour = heard(params.contract_address), self._chain.flavour
        if contract not in flavour.contracts:
            code = {"code": "CONTRACT_VALIDATE_ERROR", "message": NO_CONTRACT.hex()}
            return {"result": code}
        data = _calldata(params)
        frame = Frame(heard(params.owner_address), contract, 0, data)
        Machine(self._chain.state_after(top), flavour.contracts, silent).call(frame)
        refused = {} if frame.error is None else {"message": b"REVERT opcode executed".hex()}
        ret = {} if frame.error is None else {"ret": "FAILED"}
        return {
            "result": {"result": True, **refused},
            "energy_used": CONSTANT_ENERGY,
            "constant_result": [frame.output.hex()],
            "transaction": {"ret": [ret], "visible": False, **self._unsigned(params, data)},
        }

    def _unsigned(self, params: Params, data: bytes) -> Json:
        place = self._chain.place()
        value = {
            "data": data.hex(),
            "owner_address": params.owner_address,
            "contract_address": params.contract_address,
        }
        raw = {
            "contract": [contract_of(NAMES[TRIGGER_SMART], value)],
            "ref_block_bytes": place.reference[12:16],
            "ref_block_hash": place.reference[16:32],
            "expiration": place.milliseconds + VALID_MILLISECONDS,
            "timestamp": place.milliseconds,
        }
        return with_id({"raw_data": raw})

    def _node_info(self, params: Params, top: int) -> Json:
        return {
            "block": self._summary(top),
            "solidityBlock": self._summary(max(0, top - self._finality_blocks)),
            "configNodeInfo": {
                "codeVersion": f"deposit-watcher-sandbox/{self._chain.flavour.name}"
            },
        }

    def _summary(self, number: int) -> str:
        return f"Num:{number},ID:{self._shown(number).get('blockID')}"


def _calldata(params: Params) -> bytes:
    """What the contract is called with: whole, or by the name of a function."""
    if params.data:
        return bytes.fromhex(params.data)
    selector = keccak.new(digest_bits=256, data=params.function_selector.encode()).digest()[:4]
    return selector + bytes.fromhex(params.parameter)
