"""Tron tokens are asked for their decimals once a start: a wrong number moves the point."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chains.base import ChainDataError
from tests import javatron as faults
from tests.chains.tvm.opened import TEN, USDT, open_client, states
from tests.chains.tvm.recorded import PRIVATE, Json, chain
from tests.javatron import NEWEST, JavaTron

CONSTANT, ISSUED = "wallet/triggerconstantcontract", "wallet/getassetissuebyid"
REFUSED = {"code": "CONTRACT_VALIDATE_ERROR"}


@pytest.fixture
async def node() -> AsyncIterator[JavaTron]:
    async with JavaTron(*chain(*PRIVATE)) as node:
        yield node


@pytest.fixture
async def other() -> AsyncIterator[JavaTron]:
    async with JavaTron(*chain(*PRIVATE)) as node:
        yield node


def gave(decimals: int) -> Json:
    """A contract's answer."""
    return {"result": {"result": True}, "constant_result": [f"{decimals:064x}"]}


def ended(words: str, **fields: Json) -> Json:
    """A call that gave nothing, saying why."""
    return {"result": {"message": words.encode().hex(), **fields}}


WRONG = {
    "TRC-20": (CONSTANT, gave(18), "token USDT: 18 decimals, configured 6"),
    "TRC-10": (ISSUED, {"id": TEN.contract, "precision": 6}, "token TEN: 6 decimals, configured 0"),
    "another TRC-10": (ISSUED, {"id": "1000002"}, "token TEN: asked for token 1000001, got"),
    "no number": (CONSTANT, {"constant_result": ["zz"]}, "token USDT: no token answers at T"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_an_endpoint_that_contradicts_the_decimals_is_not_used(
    node: JavaTron, other: JavaTron, name: str
) -> None:
    method, answer, reason = WRONG[name]
    node.answers[method] = answer
    async with open_client(node) as client:
        with pytest.raises(ChainDataError, match=reason):
            await client.head()
    async with open_client(node, other) as client:
        assert (await client.head()).number == 28
        assert states(client) == ["quarantined", "healthy"]


RIGHT = {
    "as configured": (gave(6), {"id": TEN.contract}),
    "no such token, as on private chains": (
        ended("Smart contract is not exist.", **REFUSED),
        {},
    ),
    "nothing at all": ({}, {}),
    "a contract without decimals": ({"constant_result": [""]}, {}),
    "a contract that reverts": (
        {**ended("REVERT opcode executed"), "constant_result": ["08c379a0" + 64 * "1"]},
        {},
    ),
}


@pytest.mark.parametrize("name", RIGHT)
async def test_what_says_the_same_or_nothing_is_asked_once(node: JavaTron, name: str) -> None:
    node.answers[CONSTANT], node.answers[ISSUED] = RIGHT[name]
    async with open_client(node) as client:
        await client.head()
        node.fail(faults.says({"Error": "suspended for 0 s"}), NEWEST, times=1)
        await client.survey()
        await client.head()  # who failed is asked anew which chain it follows
    assert node.calls[NEWEST] == 3
    assert (node.calls[CONSTANT], node.calls[ISSUED]) == (1, 1)


@pytest.mark.parametrize(
    "refusal",
    [
        faults.says("", code=405),
        faults.says(ended("this node does not support constant", **REFUSED)),
        faults.says(ended("class java.lang.X : no", code="OTHER_ERROR")),
    ],
    ids=["unknown method", "runs no calls", "broke down"],
)
async def test_where_one_does_not_answer_another_is_asked(
    node: JavaTron, other: JavaTron, refusal: faults.Fault
) -> None:
    node.fail(refusal, CONSTANT)
    other.answers[CONSTANT] = gave(18)
    async with open_client(node, other, assets=[USDT, TEN]) as client:
        await client.survey()
        assert states(client) == ["healthy", "quarantined"]
    assert node.calls[ISSUED] == 1  # what it does not answer stops no other question


async def test_only_tokens_are_asked_about(node: JavaTron) -> None:
    async with open_client(node, assets=[]) as client:
        await client.head()
    assert node.calls[CONSTANT] + node.calls[ISSUED] == 0


async def test_doctor_warns_of_a_token_that_says_nothing(node: JavaTron) -> None:
    async with open_client(node) as client:
        found = {each.check: each for each in await client.capabilities()}
    for token in ("token USDT", "token TEN"):
        assert found[token].ok is None
        assert "nothing says decimals at" in found[token].detail


async def test_doctor_warns_of_an_endpoint_that_does_not_answer(node: JavaTron) -> None:
    node.fail(faults.says("", code=405), CONSTANT, ISSUED)
    async with open_client(node) as client:
        found = {each.check: each for each in await client.capabilities()}
    for token in ("token USDT", "token TEN"):
        assert found[token].ok is None
        assert "cannot be checked here: HTTP 405" in found[token].detail


async def test_doctor_tells_wrong_decimals_apart_from_a_wrong_chain(node: JavaTron) -> None:
    node.answers[CONSTANT] = gave(18)
    async with open_client(node) as client:
        found = {each.check: each for each in await client.capabilities()}
    assert found["chain"].ok
    assert not found["token USDT"].ok
    assert found["token USDT"].detail == "18 decimals, configured 6"
