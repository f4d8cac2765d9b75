"""A tiny assembler, so that the toy contracts can be read.

A word is an instruction, `:name` a place to jump to, `@name` the push of that place, and any other
word the push of so many bytes of hexadecimal.
"""

from __future__ import annotations

OPCODES = {
    **{"STOP": 0x00, "ADD": 0x01, "SUB": 0x03, "DIV": 0x04, "EQ": 0x14, "SHR": 0x1C},
    **{"CALLER": 0x33, "CALLVALUE": 0x34, "CALLDATALOAD": 0x35, "CALLDATASIZE": 0x36},
    **{"CALLDATACOPY": 0x37, "POP": 0x50, "MSTORE": 0x52, "SLOAD": 0x54, "SSTORE": 0x55},
    **{"ISZERO": 0x15, "SHL": 0x1B, "BALANCE": 0x31, "NUMBER": 0x43, "SWAP2": 0x91},
    **{"RETURNDATASIZE": 0x3D, "RETURNDATACOPY": 0x3E},
    **{"JUMP": 0x56, "JUMPI": 0x57, "GAS": 0x5A, "JUMPDEST": 0x5B, "PUSH0": 0x5F},
    **{f"DUP{n}": 0x7F + n for n in range(1, 17)},
    **{f"LOG{n}": 0xA0 + n for n in range(5)},
    **{"SWAP1": 0x90, "CALL": 0xF1, "RETURN": 0xF3, "DELEGATECALL": 0xF4},
    **{"REVERT": 0xFD, "INVALID": 0xFE, "SELFDESTRUCT": 0xFF},
}
PUSH = 0x5F  # plus the number of bytes
PLACE = 2  # bytes of a place to jump to


def assemble(source: str) -> str:
    """The code of `source`, as `0x…`."""
    places: dict[str, int] = {}
    code = bytearray()
    jumps: list[tuple[int, str]] = []
    for word in source.split():
        if word in OPCODES:
            code.append(OPCODES[word])
        elif word.startswith(":"):
            places[word[1:]] = len(code)
            code.append(OPCODES["JUMPDEST"])
        elif word.startswith("@"):
            code += bytes((PUSH + PLACE, *bytes(PLACE)))
            jumps.append((len(code) - PLACE, word[1:]))
        else:
            pushed = bytes.fromhex(word)
            code += bytes((PUSH + len(pushed),)) + pushed
    for at, name in jumps:
        code[at : at + PLACE] = places[name].to_bytes(PLACE, "big")
    return f"0x{code.hex()}"
