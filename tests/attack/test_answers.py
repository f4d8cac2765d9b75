"""Attacks on what nodes answer: a liar must be an error of that endpoint, never a bug of ours."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.base import ChainDataError, ChainError, EndpointSettings, RateLimited
from chains.evm.blocks import read_block
from chains.evm.rpc import result_of
from chains.http import Answer
from chains.redaction import Redaction
from chains.tron import TRON
from chains.tvm.blocks import read_block as read_tron_block
from chains.tvm.client import listing_of
from chains.tvm.messages import decode_infos
from tests import proxy as faults
from tests.anvil import Anvil
from tests.chains.evm.made import PAYER, SHOP, make_answers, make_receipt, make_transaction
from tests.chains.evm.recorded import listing
from tests.chains.test_evm_client import open_client, states
from tests.chains.tvm import made as tron
from tests.proxy import Call, Proxy

ROOT = Path(__file__).parents[2]
BLOCK = "eth_getBlockByNumber"


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with Anvil() as node:
        yield node


NESTING = """
import chains.evm.client  # with all that it imports: py_ecc raises the recursion limit
from chains.base import ChainError, EndpointSettings
from chains.evm.rpc import result_of
from chains.http import Answer
from chains.redaction import Redaction

nested = 100_000 * "[" + 100_000 * "]"
body = '{"jsonrpc":"2.0","id":1,"FIELD":' + nested + "}"
redaction = Redaction(EndpointSettings("a", "http://node.example/0123456789"))
try:
    result_of(Answer(200, {}, body.encode(), redaction), 1)
except ChainError:
    print("refused")
"""


@pytest.mark.parametrize("field", ["result", "error", "another"])
def test_an_answer_nested_without_end_neither_kills_nor_puzzles_us(field: str) -> None:
    """In a process of its own: with the recursion limit that web3 brings, it may end there."""
    script = NESTING.replace("FIELD", field)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "refused")


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 01 Jan 2026 00:00:00 +99999999999999",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    ],
)
def test_an_impossible_retry_after_is_none(value: str, redaction: Redaction) -> None:
    assert Answer(429, {"Retry-After": value}, b"", redaction).retry_after is None


@pytest.mark.parametrize(
    "seconds", [10**400, -(10**400), -5, True], ids=["endless", "before", "negative", "true"]
)
def test_an_impossible_pause_is_none(seconds: object, redaction: Redaction) -> None:
    error = {"code": -32005, "message": "limit", "data": {"rate": {"backoff_seconds": seconds}}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()
    with pytest.raises(RateLimited) as refusal:
        result_of(Answer(200, {}, body, redaction), 1)
    assert refusal.value.retry_after is None


NESTED = 100_000 * "[" + 100_000 * "]"


@pytest.mark.parametrize(
    "infos",
    [
        f'[{{"id":"a","blockNumber":1,"blockTimeStamp":1,"another":{NESTED}}}]',
        f'[{{"id":"a","blockNumber":1,"blockTimeStamp":1,"receipt":{{"another":{NESTED}}}}}]',
    ],
    ids=["field", "deeper"],
)
def test_infos_nested_without_end_are_a_lie(infos: str) -> None:
    with pytest.raises(ChainDataError):
        decode_infos(infos.encode())


@pytest.fixture
def redaction() -> Redaction:
    return Redaction(EndpointSettings("a", "http://node.example/0123456789"))


PAID = (make_transaction(), make_receipt())


@pytest.mark.parametrize(
    "answers",
    [
        make_answers(PAID, timestamp=hex(2**63)),
        make_answers(PAID, timestamp=hex(253_402_300_800)),  # the year 10000 has no date
        make_answers(PAID, number=hex(2**63)),
        make_answers(
            withdrawals=[
                {"index": "0x0", "validatorIndex": "0x0", "address": SHOP, "amount": hex(2**255)}
            ]
        ),
    ],
    ids=["time", "date", "number", "withdrawal"],
)
def test_a_number_that_nothing_can_store_is_a_lie(answers: Any) -> None:
    with pytest.raises(ChainDataError):
        read_block(answers.block, answers.receipts, listing())


def test_a_tron_block_of_a_year_that_has_no_date_is_a_lie() -> None:
    """Its witness may well have signed it: who makes blocks up signs them, too."""
    answers = tron.make_answers((tron.transfer(), {}), timestamp=253_402_300_800_000)
    with pytest.raises(ChainDataError, match="its time"):
        read_tron_block(answers.block, answers.infos, listing_of(TRON, TRON.assets))


async def test_a_head_that_nothing_can_store_is_a_lie(anvil: Anvil) -> None:
    async with Proxy(anvil.url) as node:
        node.fail(
            faults.alter(lambda block: {**block, "number": hex(2**63)}), BLOCK, block="latest"
        )
        async with open_client(node.url) as client:
            with pytest.raises(ChainError):
                await client.head()


async def test_a_liar_that_invents_a_header_field_does_not_keep_us_from_the_honest(
    anvil: Anvil,
) -> None:
    """It makes its block unprovable; the other endpoint has a proven one."""

    def invent(block: dict[str, Any]) -> dict[str, Any]:
        return {**block, "newField": "0x1", "stateRoot": "0x" + "00" * 32}

    anvil.mine()
    async with Proxy(anvil.url) as node:
        node.fail(faults.alter(invent), BLOCK, block=1)
        async with open_client(node.url, anvil.url) as client:
            block = await client.block(1)
            assert block is not None
            assert block.ref.hash == anvil.hash(1)
            assert states(client)[0] == "quarantined"


async def test_a_head_out_of_the_blue_makes_nobody_else_lag(anvil: Anvil) -> None:
    anvil.mine()
    async with Proxy(anvil.url) as node:
        node.fail(
            faults.alter(lambda block: {**block, "number": "0xffffff"}), BLOCK, block="latest"
        )
        async with open_client(anvil.url, node.url) as client:
            for _ in range(3):
                await client.survey()
                await client.head()
            assert states(client)[0] == "healthy"


async def test_a_backup_that_does_not_answer_does_not_hold_up_the_survey(anvil: Anvil) -> None:
    """The follower waits for it, every twenty seconds, before it asks for the next block."""

    async def silent(call: Call) -> Any:
        await asyncio.sleep(60)

    async with Proxy(anvil.url) as node, open_client(anvil.url, node.url) as client:
        await client.survey()
        node.fail(silent)
        await asyncio.wait_for(client.survey(), 10)


def test_a_made_block_is_read_at_all() -> None:
    """The ground on which the lies above stand."""
    answers = make_answers(PAID)
    [transfer] = read_block(answers.block, answers.receipts, listing()).block.transfers
    assert (transfer.sender, transfer.to, transfer.units) == (PAYER, SHOP, 7)
    assert msgspec.json.decode(answers.block)["number"] == "0x64"
