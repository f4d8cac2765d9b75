"""What JSON-RPC answers mean, real ones of providers among them."""

from __future__ import annotations

import json
from email.utils import formatdate
from time import time
from typing import Any

import pytest

from chains.base import ChainError, ChainUnavailable, EndpointRefused, EndpointSettings, RateLimited
from chains.evm.rpc import NoState, NoSuchBlock, Reverted, result_of
from chains.health import Missing
from chains.http import Answer
from chains.redaction import Redaction
from tests.realdata import realdata

REDACTION = Redaction(EndpointSettings("own", "https://node.example/v2/0123456789abcdef"))


def make_answer(body: object, status: int = 200, **headers: str) -> Answer:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, raw, REDACTION)


def rpc(**fields: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, **fields}


def refusal(answer: Answer) -> ChainError:
    with pytest.raises(ChainError) as error:
        result_of(answer, 1)
    return error.value


@pytest.mark.parametrize("value", ["0x1", {}, [], 0, False, ""])
def test_a_result_is_given_as_it_came(value: object) -> None:
    result = result_of(make_answer(rpc(result=value)), 1)
    assert result is not None
    assert json.loads(result) == value


def test_null_is_none() -> None:
    assert result_of(make_answer(rpc(result=None)), 1) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Welcome</html>",
        '{"jsonrpc":"2.0","id":1,"result":{"num',
        "[]",
        '"ok"',
        "null",
        "\ufffd",
        rpc(),
        {},
        {"jsonrpc": "2.0", "id": 2, "result": None},
        {"jsonrpc": "2.0", "result": None},
        rpc(error="Missed `to` address"),
        rpc(error={}),
        rpc(error={"code": "x", "message": 5}),
        rpc(error={"code": -32000, "message": "header not found"}),
        rpc(error={"code": -32603, "message": "Internal error"}, result=None),
    ],
)
def test_what_says_nothing_of_the_chain_is_unavailable(body: object) -> None:
    assert type(refusal(make_answer(body))) is ChainUnavailable


@pytest.mark.parametrize(
    "message",
    [
        "missing trie node 0a (path ) state is gone",
        "required historical state unavailable (reexec=128)",
    ],
)
def test_a_state_that_is_gone_is_told_from_an_outage(message: str) -> None:
    assert type(refusal(make_answer(rpc(error={"code": -32000, "message": message})))) is NoState


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": -32601, "message": "the method eth_getBlockReceipts does not exist"}, "refused"),
        ({"code": -32601, "message": "?"}, "refused"),
        ({"code": -32000, "message": "Method not supported"}, "refused"),
        ({"code": -32016, "message": "?"}, "refused"),
        ({"code": 4444, "message": "pruned history unavailable"}, "missing"),
        ({"code": -39001, "message": "Unknown block"}, "no such block"),
        ({"code": -39001, "message": "?"}, "no such block"),
        ({"code": -32000, "message": "finalized block not found"}, "no such block"),
        ({"code": -32000, "message": "unknown block"}, "no such block"),
        ({"code": -32000, "message": "missing trie node 0a (path ) state is gone"}, "no state"),
        ({"code": -32000, "message": "World state unavailable"}, "no state"),
        ({"code": -32602, "message": "archive requests need another plan"}, "no state"),
        ({"code": 3, "message": "execution reverted: rate limit exceeded"}, "reverted"),
        ({"code": -32000, "message": "invalid opcode: INVALID"}, "reverted"),
    ],
)
def test_errors_that_say_more(error: dict[str, Any], kind: str) -> None:
    kinds = {
        "refused": EndpointRefused,
        "missing": Missing,
        "no such block": NoSuchBlock,
        "no state": NoState,
        "reverted": Reverted,
    }
    assert type(refusal(make_answer(rpc(error=error)))) is kinds[kind]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, EndpointRefused),
        (400, EndpointRefused),
        (401, EndpointRefused),
        (402, EndpointRefused),
        (403, EndpointRefused),
        (404, EndpointRefused),
        (408, ChainUnavailable),
        (413, EndpointRefused),
        (429, RateLimited),
        (500, ChainUnavailable),
        (502, ChainUnavailable),
        (503, ChainUnavailable),
    ],
)
@pytest.mark.parametrize("body", ["", "<html>no</html>", rpc(result="0x1")])
def test_a_status_without_an_error_object_speaks_for_itself(
    status: int, kind: type[ChainError], body: object
) -> None:
    assert type(refusal(make_answer(body, status))) is kind


def test_an_error_within_a_400_is_read() -> None:
    pruned = rpc(error={"code": 4444, "message": "pruned history unavailable"})
    assert type(refusal(make_answer(pruned, 400))) is Missing
    passing = rpc(error={"code": -32000, "message": "try later"})
    assert type(refusal(make_answer(passing, 400))) is ChainUnavailable


def test_a_daily_limit_in_a_403_passes() -> None:
    said = "Exceed the user daily usage (100000), the maximum query frequency is 1 per second"
    assert type(refusal(make_answer(said, 403))) is RateLimited
    assert type(refusal(make_answer(rpc(error={"message": said}), 403))) is RateLimited


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30), ("0", 0), ("soon", None), ("-3", None), ("", None)],
)
@pytest.mark.parametrize("body", ["", rpc(error={"code": 429, "message": "Too Many Requests"})])
def test_retry_after_in_seconds(header: str, seconds: int | None, body: object) -> None:
    fault = refusal(make_answer(body, 429, Retry_After=header))
    assert isinstance(fault, ChainUnavailable)
    assert fault.retry_after == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(40, 39), (-40, 0)])
def test_retry_after_as_a_date(ahead: int, seconds: int) -> None:
    date = formatdate(time() + ahead, usegmt=True)  # cut to whole seconds
    fault = refusal(make_answer("", 429, Retry_After=date))
    assert isinstance(fault, ChainUnavailable)
    assert fault.retry_after == pytest.approx(seconds, abs=2)


def test_a_rate_limit_may_tell_its_seconds_in_the_body() -> None:
    data = {"rate": {"backoff_seconds": 30}}
    error = {"code": -32005, "message": "request rate limited", "data": data}
    fault = refusal(make_answer(rpc(error=error)))
    assert isinstance(fault, ChainUnavailable)
    assert fault.retry_after == 30


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (make_answer("", 401), "HTTP 401: empty; check its key"),
        (make_answer("", 402), "HTTP 402: empty; check its plan"),
        (make_answer("<p>no</p>", 403), "HTTP 403: <p>no</p>; check its key and its plan"),
        (make_answer("", 404), "HTTP 404: empty; check its URL"),
        (make_answer("", 301), "HTTP 301: empty; check its URL"),
        (
            make_answer(rpc(error={"code": -32601, "message": "method trace_block not found"})),
            "method trace_block not found (code -32601); "
            "check its key and its plan, or use another",
        ),
    ],
)
def test_a_refusal_says_what_to_do_about_it(answer: Answer, remedy: str) -> None:
    fault = refusal(answer)
    assert isinstance(fault, EndpointRefused)
    assert str(fault) == remedy


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500])
@pytest.mark.parametrize("echo", ["{}", '{{"error":{{"message":"{}","code":3}}}}', "<p>{}</p>"])
def test_an_echoed_key_is_not_quoted(status: int, echo: str) -> None:
    url = "https://node.example/v2/0123456789abcdef"
    said = str(refusal(make_answer(echo.format(f"no such path: {url}"), status)))
    assert "0123456789abcdef" not in said
    assert "node.example" not in said
    assert "no such path" in said


def test_a_long_answer_is_quoted_in_short() -> None:
    assert len(str(refusal(make_answer("<html>" + "x" * 10_000)))) < 200


RECORDED = [  # provider-errors.json, row by row: what to do about each
    ("Alchemy", EndpointRefused),  # too wide a range, on this plan: never here
    ("Infura", EndpointRefused),
    ("Infura", EndpointRefused),
    ("LinkPool/Blockdaemon/Chainstack", ChainUnavailable),
    ("QuickNode", EndpointRefused),
    ("SimplyVC", EndpointRefused),
    ("dRPC / avalanche-style", EndpointRefused),
    ("Nirvana Labs (Varnish)", ChainUnavailable),
    ("nginx in front of Nethermind", ChainUnavailable),
    ("Alchemy free tier (2025+)", EndpointRefused),
    ("Alchemy", EndpointRefused),  # says "timeout", means the range
    ("Alchemy", RateLimited),
    ("Infura", RateLimited),
    ("Infura", RateLimited),
    ("QuickNode", RateLimited),
    ("QuickNode", RateLimited),
    ("QuickNode", RateLimited),
    ("Chainstack", RateLimited),
    ("routescan", ChainUnavailable),
    ("publicnode", NoState),
    ("publicnode", NoState),
    ("etherscan v2", ChainUnavailable),  # its error stands in the result, without an id
    ("blockscout", ChainUnavailable),
]


def test_every_recorded_refusal_has_its_meaning() -> None:
    recorded = json.loads(realdata("ethereum", "provider-errors.json").read_text())["bodies"]
    assert [row["provider"] for row in recorded] == [provider for provider, _ in RECORDED]
    for row, (provider, kind) in zip(recorded, RECORDED, strict=True):
        status = row["http"] if isinstance(row.get("http"), int) else 200
        headers = row.get("headers", {})
        body = row["text"] if "text" in row else row["body"]
        fault = refusal(Answer(status, headers, make_answer(body).body, REDACTION))
        assert type(fault) is kind, f"{provider}: {fault}"


def test_a_refusal_within_an_envelope_means_the_same_as_a_bare_one() -> None:
    recorded = json.loads(realdata("ethereum", "provider-errors.json").read_text())["bodies"]
    bare = [row["body"] for row in recorded if "code" in row.get("body", {})]
    assert len(bare) >= 10
    for error in bare:
        within = refusal(make_answer(rpc(error=error)))
        assert type(within) is type(refusal(make_answer(error))), error
