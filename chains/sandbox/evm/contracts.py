"""The toy contracts that stand on every sandbox chain, and how to call them.

Each is given twice, as bytecode and as the function that imitates it; a real EVM must agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chains.sandbox.evm.assembly import assemble
from chains.sandbox.evm.machine import Contract, Frame, Log, Machine, Reverted
from chains.sandbox.evm.orders import Order
from chains.sandbox.state import coin, holding
from watcher.domain.money import Address, Asset

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak("Transfer(address,address,uint256)")"""
PAY, PULL = bytes.fromhex("a9059cbb"), bytes.fromhex("23b872dd")
BALANCE_OF = bytes.fromhex("70a08231")
SKIM = bytes.fromhex("5c155c15")
"""A transfer that keeps a hundredth: no true token's, as the next two."""
CRY = {3: bytes.fromhex("c3c3c3c3"), 4: bytes.fromhex("c4c4c4c4")}
"""Whoever has the code may let it log anything: topics -> how to tell it so."""
DECIMALS, SYMBOL = bytes.fromhex("313ce567"), bytes.fromhex("95d89b41")
WRAP = 2**256

BATCH = Address("0x" + "ba7c" * 10)
TRAP = Address("0x" + "dead" * 10)
FAKE_TOKEN = Address("0x" + "fa4e" * 10)
COLLECTIBLE = Address("0x" + "c011" * 10)
CRIER = Address("0x" + "c1e1" * 10)
LENDER = Address("0x" + "1e4d" * 10)
FORCER = Address("0x" + "f04c" * 10)
HOLDER = Address("0x" + "401d" * 10)
"""Whose tokens are pulled: an account without a key."""


def word(value: int | str) -> str:
    """A number, or an address, as the 64 digits of 32 bytes."""
    return f"{int(value, 16) if isinstance(value, str) else value:064x}"


def token_transfer(contract: Address, to: Address, units: int) -> Order:
    """`transfer(to, units)` of a token, or of the collectible with that number."""
    return token_call(contract, PAY, to, units)


def token_call(contract: Address, selector: bytes, *arguments: int | str) -> Order:
    """A call of a token."""
    return Order(contract, 0, selector + bytes.fromhex("".join(map(word, arguments))))


def cry(contract: Address, topics: Sequence[str], data: str) -> Order:
    """Let a contract log three or four topics of 32 bytes, and some data."""
    said = "".join(topic[2:] for topic in topics) + data
    return Order(contract, 0, CRY[len(topics)] + bytes.fromhex(said))


def batch(orders: Iterable[Order]) -> Order:
    """One transaction in which the batch contract carries out all orders, one by one."""
    orders = tuple(orders)
    records = (
        bytes.fromhex(word(order.to) + word(order.value) + word(len(order.data))) + order.data
        for order in orders
    )
    return Order(BATCH, sum(order.value for order in orders), b"".join(records))


def trapped(to: Address, units: int) -> Order:
    """Pay through the trap, which passes it on and then fails, so that nothing moves."""
    return Order(TRAP, units, bytes.fromhex(word(to)))


def _address(data: bytes, at: int = 0) -> Address:
    return Address(f"0x{_word(data, at)[12:].hex()}")


def _number(data: bytes, at: int = 0) -> int:
    return int.from_bytes(_word(data, at), "big")


def _word(data: bytes, at: int) -> bytes:
    return data[at : at + 32].ljust(32, b"\0")  # beyond its end calldata reads as zeros


def _run_batch(machine: Machine, frame: Frame) -> bytes:
    at, data = 0, frame.data
    while at < len(data):
        size = _number(data, at + 64)
        inner = Frame(
            frame.to,
            _address(data, at),
            _number(data, at + 32),
            data[at + 96 : at + 96 + size],
        )
        machine.call(inner, inside=frame)  # one that fails does not stop the others
        at += 96 + size
    return b""


def _run_trap(machine: Machine, frame: Frame) -> bytes:
    machine.call(Frame(frame.to, _address(frame.data), frame.value, b""), inside=frame)
    raise Reverted("execution reverted")


def _run_collectible(machine: Machine, frame: Frame) -> bytes:
    to, serial = _number(frame.data, 4), _number(frame.data, 36)
    topics = (TRANSFER, f"0x{word(frame.sender)}", f"0x{word(to)}", f"0x{word(serial)}")
    machine.logs.append(Log(frame.to, topics, "0x"))
    return b""


def _run_crier(machine: Machine, frame: Frame) -> bytes:
    count = next((n for n, selector in CRY.items() if selector == frame.data[:4]), 0)
    if not count:
        raise Reverted("execution reverted")
    topics = [f"0x{_word(frame.data, 4 + 32 * index).hex()}" for index in range(count)]
    data = frame.data[4 + 32 * count :]
    machine.logs.append(Log(frame.to, tuple(topics), f"0x{data.hex()}"))
    return b""


def _run_lender(machine: Machine, frame: Frame) -> bytes:
    lent = Frame(frame.to, _address(frame.data), frame.value, b"", kind="DELEGATECALL")
    machine.call(lent, inside=frame)
    return b""


def _run_forcer(machine: Machine, frame: Frame) -> bytes:
    left = machine.state[coin(frame.to)]
    end = Frame(frame.to, _address(frame.data), left, b"", kind="SELFDESTRUCT")
    machine.call(end, inside=frame)
    return b""


def token(symbol: str, decimals: int) -> Contract:
    """A token: whoever sends may go below zero, modulo 2**256, so that nobody must mint."""

    def run(machine: Machine, frame: Frame) -> bytes:
        match frame.data[:4]:
            case selector if selector in (PAY, SKIM, PULL) and frame.value == 0:
                return _pay(machine, frame)
            case selector if selector in CRY.values():
                return _run_crier(machine, frame)
            case selector if selector == BALANCE_OF:
                return _bytes(machine.state[holding(frame.to, _address(frame.data, 4))])
            case selector if selector == DECIMALS:
                return _bytes(decimals)
            case selector if selector == SYMBOL:
                text = symbol.encode()
                return _bytes(32) + _bytes(len(text)) + text.ljust(32, b"\0")
        raise Reverted("execution reverted")

    return Contract(_token_code(symbol, decimals), run)


def _pay(machine: Machine, frame: Frame) -> bytes:
    state, data, selector = machine.state, frame.data, frame.data[:4]
    if selector == PAY and len(data) != 4 + 64:
        return _bytes(0)  # false: a call with more than it knows is not to its taste
    sender, at = (_address(data, 4), 36) if selector == PULL else (frame.sender, 4)
    to, units = _address(data, at), _number(data, at + 32)
    kept = units // 100 if selector == SKIM else 0
    payer, payee = holding(frame.to, sender), holding(frame.to, to)
    state[payer] = (state[payer] - units) % WRAP
    state[payee] = (state[payee] + units - kept) % WRAP
    machine.logs.append(transfer_log(frame.to, sender, to, units))
    return _bytes(1)


def transfer_log(contract: Address, sender: Address, to: Address, units: int) -> Log:
    """What a token tells of a payment."""
    topics = (TRANSFER, f"0x{word(sender)}", f"0x{word(to)}")
    return Log(contract, topics, f"0x{word(units)}")


def _bytes(value: int) -> bytes:
    return value.to_bytes(32, "big")


_CRIES = f"DUP1 {CRY[3].hex()} EQ @cry3 JUMPI DUP1 {CRY[4].hex()} EQ @cry4 JUMPI"
_CRYING = """
    :cry3 44 CALLDATALOAD 24 CALLDATALOAD 04 CALLDATALOAD
        64 CALLDATASIZE SUB DUP1 64 PUSH0 CALLDATACOPY PUSH0 LOG3 STOP
    :cry4 64 CALLDATALOAD 44 CALLDATALOAD 24 CALLDATALOAD 04 CALLDATALOAD
        84 CALLDATASIZE SUB DUP1 84 PUSH0 CALLDATACOPY PUSH0 LOG4 STOP
"""


# On the stack at `move`: payer, payee, what is paid, what arrives.
def _token_code(symbol: str, decimals: int) -> str:
    text = symbol.encode()
    padded = text.ljust(32, b"\0")
    return assemble(
        f"""
        PUSH0 CALLDATALOAD e0 SHR
        DUP1 {PAY.hex()} EQ @pay JUMPI
        DUP1 {SKIM.hex()} EQ @skim JUMPI
        DUP1 {PULL.hex()} EQ @pull JUMPI
        {_CRIES}
        DUP1 {BALANCE_OF.hex()} EQ @balance JUMPI
        DUP1 {DECIMALS.hex()} EQ @decimals JUMPI
        DUP1 {SYMBOL.hex()} EQ @symbol JUMPI
        :refuse PUSH0 PUSH0 REVERT
        {_CRYING}
        :pay CALLVALUE @refuse JUMPI 44 CALLDATASIZE SUB @no JUMPI
            24 CALLDATALOAD DUP1 04 CALLDATALOAD CALLER @move JUMP
        :no PUSH0 @number JUMP
        :skim CALLVALUE @refuse JUMPI
            24 CALLDATALOAD 64 DUP2 DIV DUP2 SUB SWAP1 04 CALLDATALOAD CALLER @move JUMP
        :pull CALLVALUE @refuse JUMPI
            44 CALLDATALOAD DUP1 24 CALLDATALOAD 04 CALLDATALOAD
        :move
            DUP3 DUP2 SLOAD SUB DUP2 SSTORE
            DUP4 DUP3 SLOAD ADD DUP3 SSTORE
            DUP3 PUSH0 MSTORE {TRANSFER[2:]} 20 PUSH0 LOG3
            01 @number JUMP
        :balance 04 CALLDATALOAD SLOAD @number JUMP
        :decimals {decimals:02x}
        :number PUSH0 MSTORE 20 PUSH0 RETURN
        :symbol 20 PUSH0 MSTORE {len(text):02x} 20 MSTORE {padded.hex()} 40 MSTORE
            60 PUSH0 RETURN
        """
    )


# On the stack: where a record (to, value, size, data) begins, then also its size.
_BATCH_CODE = assemble(
    """
    PUSH0
    :next CALLDATASIZE DUP2 EQ @done JUMPI
        DUP1 40 ADD CALLDATALOAD
        DUP1 DUP3 60 ADD PUSH0 CALLDATACOPY
        PUSH0 PUSH0 DUP3 PUSH0 DUP6 20 ADD CALLDATALOAD DUP7 CALLDATALOAD GAS CALL POP
        ADD 60 ADD @next JUMP
    :done STOP
    """
)
_TRAP_CODE = assemble(
    "PUSH0 PUSH0 PUSH0 PUSH0 CALLVALUE PUSH0 CALLDATALOAD GAS CALL POP PUSH0 PUSH0 REVERT"
)
_COLLECTIBLE_CODE = assemble(
    f"24 CALLDATALOAD 04 CALLDATALOAD CALLER {TRANSFER[2:]} PUSH0 PUSH0 LOG4 STOP"
)

_CRIER_CODE = assemble(f"PUSH0 CALLDATALOAD e0 SHR {_CRIES} PUSH0 PUSH0 REVERT {_CRYING}")
_LENDER_CODE = assemble("PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 CALLDATALOAD GAS DELEGATECALL POP STOP")
_FORCER_CODE = assemble("PUSH0 CALLDATALOAD SELFDESTRUCT")


def toy_contracts(assets: Sequence[Asset]) -> dict[Address, Contract]:
    """The tokens of `assets` at their true addresses, and what else stands on the chain.

    The fake token calls itself by the symbol of the first true one.
    """
    tokens = {a.contract: token(a.symbol, a.decimals) for a in assets if a.contract is not None}
    named = next((a for a in assets if a.contract is not None), assets[0])
    return {
        **tokens,
        FAKE_TOKEN: token(named.symbol, named.decimals),
        COLLECTIBLE: Contract(_COLLECTIBLE_CODE, _run_collectible),
        BATCH: Contract(_BATCH_CODE, _run_batch),
        TRAP: Contract(_TRAP_CODE, _run_trap),
        CRIER: Contract(_CRIER_CODE, _run_crier),
        LENDER: Contract(_LENDER_CODE, _run_lender),
        FORCER: Contract(_FORCER_CODE, _run_forcer),
    }
