"""Tiny contracts for stories, as runtime code for `Anvil.set_code`; the assembly stands beside."""

from __future__ import annotations

from tests.anvil import TRANSFER

APPROVAL = "8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"

REVERTING = "0x5f5ffd"  # push0 push0 revert: refuses whatever comes

SILENT = "0x60015f5260205ff3"  # mstore(0, 1); return(0, 32): "true", and no log

NON_FUNGIBLE = (
    "0x602435"  # topic 3: the id, the call's second word
    "60043533"  # topics 2 and 1: to, and the caller
    f"7f{TRANSFER}5f5fa4"  # log4 without data, as ERC-721 does
    "00"
)

INDEXED = (
    "0x6024355f52"  # mstore(0, amount)
    "602435"  # topic 3: the amount again
    "60043533"  # topics 2 and 1: to, and the caller
    f"7f{TRANSFER}60205fa4"  # log4 with one word of data
    "00"
)

APPROVING = (
    "0x6024355f52"  # mstore(0, amount)
    "60043533"  # topics 2 and 1: spender, and the caller
    f"7f{APPROVAL}60205fa3"  # log3 with one word of data
    "00"
)

NAMESAKE = (
    "0x5f3560e01c6395d89b4114603d576024355f52"  # symbol()? go to 0x3d; else mstore(0, amount)
    f"600435337f{TRANSFER}60205fa300"  # log3: a Transfer as any token's
    "5b60205f526004602052"  # 0x3d: the ABI's string of four bytes
    "6355534454"  # "USDT"
    "60e01b60405260605ff3"
)


def batch(contract: str) -> str:
    """Runtime code that makes several calls to `contract`: its own data, in pieces of 68 bytes.

    That is a selector and two words each, such as `transfer(address,uint256)`. It reverts as a
    whole when one of them does, and accepts ether, which it keeps.
    """
    return (
        "0x5f"  # offset = 0
        "5b3681101560385760"  # 0x01: offset < calldatasize? else go to 0x38
        "44815f37"  # calldatacopy(0, offset, 68)
        f"5f5f60445f5f73{contract[2:].lower()}5af1"  # call(gas, contract, 0, 0, 68, 0, 0)
        "603157"  # done? go to 0x31
        "5f5ffd"  # else revert
        "5b604401600156"  # 0x31: offset += 68; go to 0x01
        "5b00"  # 0x38
    )


def transfers(*payments: tuple[str, int]) -> str:
    """The data that makes `batch` pay these addresses these units."""
    return "0x" + "".join(f"a9059cbb{int(to, 16):064x}{units:064x}" for to, units in payments)


def forward(to: str) -> str:
    """Runtime code that sends on whatever ether it is called with."""
    return f"0x5f5f5f5f3473{to[2:]}5af100"  # call(gas, to, callvalue, 0, 0, 0, 0)
