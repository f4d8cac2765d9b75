"""A contract that speaks Multicall3's `aggregate3`, for a real EVM to run at its address."""

from __future__ import annotations

from chains.sandbox.evm.assembly import assemble

# On the stack: how far the output is, then which call is next (times 32), its place in calldata,
# the length of its data. The output is Result[], each (success, bytes) behind an offset.
MULTICALL_CODE = assemble(
    """
    PUSH0 CALLDATALOAD e0 SHR
    DUP1 82ad56cb EQ @aggregate JUMPI
    DUP1 42cbb15c EQ @number JUMPI
    4d2301cc EQ @balance JUMPI
    :refuse PUSH0 PUSH0 REVERT
    :number NUMBER @word JUMP
    :balance 04 CALLDATALOAD BALANCE
    :word PUSH0 MSTORE 20 PUSH0 RETURN
    :aggregate
        20 PUSH0 MSTORE 24 CALLDATALOAD 20 MSTORE
        24 CALLDATALOAD 05 SHL 40 ADD PUSH0
    :next 24 CALLDATALOAD 05 SHL DUP2 EQ @done JUMPI
        DUP1 44 ADD CALLDATALOAD 44 ADD
        40 DUP4 SUB DUP3 40 ADD MSTORE
        DUP1 60 ADD CALLDATALOAD
        DUP1 DUP3 80 ADD DUP6 CALLDATACOPY
        PUSH0 PUSH0 DUP3 DUP7 PUSH0 DUP7 CALLDATALOAD GAS CALL
        DUP1 DUP4 20 ADD CALLDATALOAD ADD ISZERO @refuse JUMPI
        DUP5 MSTORE
        40 DUP5 20 ADD MSTORE
        RETURNDATASIZE DUP5 40 ADD MSTORE
        POP POP
        RETURNDATASIZE PUSH0 DUP4 60 ADD RETURNDATACOPY
        PUSH0 DUP3 60 ADD RETURNDATASIZE ADD MSTORE
        RETURNDATASIZE 1f ADD 05 SHR 05 SHL 60 ADD DUP3 ADD SWAP2 POP
        20 ADD @next JUMP
    :done POP PUSH0 RETURN
    """
)
