"""What a Tron node's answers mean, most of them sent as HTTP 200."""

from __future__ import annotations

import json

import pytest
from tronpy import AsyncTron  # type: ignore[import-untyped]

from chains.base import ChainError, ChainUnavailable, EndpointRefused, EndpointSettings, RateLimited
from chains.http import Answer
from chains.redaction import Redaction
from chains.tvm.provider import FastTronProvider, result_of
from tests.chains.tvm.recorded import PRIVATE, Json, chain, load
from tests.javatron import JavaTron

REDACTION = Redaction(EndpointSettings("a", "http://127.0.0.1/"))


def answer(body: Json, status: int = 200, **headers: str) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, text.encode(), REDACTION)


def outcome(given: Answer) -> object:
    """The class of the fault, or the result itself."""
    try:
        return result_of(given)
    except ChainError as error:
        return type(error)


PROVIDERS: list[object] = [  # of provider-errors.json, in its order
    RateLimited,  # suspended for 5 s
    RateLimited,  # user daily usage
    RateLimited,  # request too quickly, in a 403
    ChainUnavailable,  # nginx 503
    None,  # {}: unknown id
    b"[]",
    None,  # {}: above head
    EndpointRefused,  # a lite node's bare text
    EndpointRefused,  # 405
    ChainUnavailable,  # any Error of the node
]


@pytest.mark.parametrize("index", range(len(PROVIDERS)))
def test_a_recorded_answer_of_a_provider(index: int) -> None:
    bodies = load("tron", "provider-errors.json")["bodies"]
    assert len(bodies) == len(PROVIDERS)
    row = bodies[index]
    given = answer(row.get("body", row.get("text")), row.get("http", 200))
    assert outcome(given) == PROVIDERS[index]


NODE: dict[str, object] = {
    "gettransactioninfobyid unknown": None,
    "getblockbynum above head": None,
    "getblockbynum negative": None,
    "getblockbynum string": ChainUnavailable,
    "gettransactioninfobyblocknum above head": b"[]",
    "getblockbylimitnext too wide": None,
    "gettransactionbyid not hex": ChainUnavailable,
    "unknown path": EndpointRefused,
    "broken json": ChainUnavailable,
}


@pytest.mark.parametrize("name", NODE)
def test_a_recorded_answer_of_a_node(name: str) -> None:
    row = load(*PRIVATE, "errors.json")[name]
    assert outcome(answer(row["body"], row["status"])) == NODE[name]


def test_every_error_of_a_recorded_node_is_one() -> None:
    rows = load(*PRIVATE, "errors.json").values()
    errors = [row for row in rows if row["body"].startswith('{"Error"')]
    assert len(errors) > 5
    kinds = {outcome(answer(row["body"], row["status"])) for row in errors}
    assert kinds == {ChainUnavailable}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (
            {"Error": "class java.lang.IllegalAccessException : lack of computing resources"},
            200,
            RateLimited,
        ),
        ({"Error": "this API is unavailable due to config"}, 404, EndpointRefused),
        ({"Error": "Exceed the user daily usage (100000), …"}, 403, RateLimited),
        ({"success": False, "error": "ApiKey not exists", "statusCode": 401}, 401, EndpointRefused),
        ({"success": False, "error": "invalid", "statusCode": 400}, 400, EndpointRefused),
        ({"message": "no Route matched"}, 200, ChainUnavailable),
        ("", 200, ChainUnavailable),
        ("null", 200, ChainUnavailable),
        ('{"blockID":"00', 200, ChainUnavailable),
        ("<html></html>", 200, ChainUnavailable),
        ("<html></html>", 403, EndpointRefused),
        ({}, 500, ChainUnavailable),
        ([], 429, RateLimited),
        ({}, 302, EndpointRefused),
    ],
)
def test_an_error_is_never_nothing(body: Json, status: int, kind: type[ChainError]) -> None:
    assert outcome(answer(body, status)) is kind


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (answer({"Error": "… and the query server is suspended for 5 s"}, 403), 5),
        (answer({"Error": "… and the query server is suspended for 30s"}), 30),
        (answer({"Error": "too many requests"}, 429, Retry_After="17"), 17),
        (answer({"Error": "lack of computing resources"}), None),
    ],
)
def test_how_long_to_wait_is_what_the_node_says(given: Answer, seconds: float | None) -> None:
    with pytest.raises(ChainUnavailable) as error:
        result_of(given)
    assert error.value.retry_after == seconds


def test_what_a_block_says_in_itself_is_no_error() -> None:
    body = {"blockID": "00", "transactions": [{"message": "x", "Error": "y"}]}
    assert outcome(answer(body)) == json.dumps(body).encode()


@pytest.mark.parametrize("path", ["", "/", "/token0123456789", "/token0123456789/", "/a/b?key=c"])
async def test_the_whole_url_is_kept_and_only_configured_headers_are_sent(path: str) -> None:
    async with JavaTron(*chain(*PRIVATE)) as node:
        settings = EndpointSettings("a", node.url + path, headers={"TRON-PRO-API-KEY": "mine"})
        provider = FastTronProvider(settings)
        assert await provider.post("wallet/getnowblock", {}) is not None
        await provider.close()
    base, _, query = path.partition("?")
    end = f"?{query}" if query else ""
    assert node.paths == [f"{base.rstrip('/')}/wallet/getnowblock{end}"]
    keys = {k.lower(): v for k, v in node.headers[0].items()}
    assert keys["tron-pro-api-key"] == "mine"


async def test_no_key_is_sent_to_trongrid_unless_configured() -> None:
    async with JavaTron(*chain(*PRIVATE)) as node:
        provider = FastTronProvider(EndpointSettings("trongrid", f"{node.url}/trongrid"))
        await provider.post("wallet/getnowblock", {})
        await provider.close()
    assert not any("key" in name.lower() for name in node.headers[0])


async def test_tronpy_works_through_it() -> None:
    async with JavaTron(*chain(*PRIVATE)) as node:
        provider = FastTronProvider(EndpointSettings("a", node.url))
        found = await AsyncTron(provider=provider, conf={}).get_latest_block()
        await provider.close()
    assert found["blockID"] == node.blocks[28]["blockID"]
