"""JSON-RPC envelopes, and what a node's errors mean.

Codes are reused and wording drifts (chains.md 5.1, 5.2), so both are looked at. An error says
nothing about the chain: none of them is a `ChainDataError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from chains.base import ChainError, ChainUnavailable, EndpointRefused, RateLimited
from chains.health import Missing
from chains.http import Answer, refusal

NULL = b"null"
LONGEST_BACKOFF = 86_400  # seconds that a node may ask for; more is no number to go by


class NoSuchBlock(ChainUnavailable):
    """The node says that it does not know the block."""


class NoState(ChainUnavailable):
    """The node knows the block, and not what the accounts held after it."""


class Reverted(ChainUnavailable):
    """The contract that was called did not answer; what the words say is its own."""


class Envelope(msgspec.Struct):
    """A JSON-RPC answer. Some gateways send the bare error object instead of an envelope."""

    id: object = None
    result: msgspec.Raw = msgspec.Raw()
    error: object = None
    code: object = None
    message: object = None


_envelope = msgspec.json.Decoder(Envelope)


def result_of(answer: Answer, id: object) -> bytes | None:
    """The JSON of the result of request `id`; None where it is JSON null.

    Raises:
        ChainUnavailable, EndpointRefused: there is none; by `fault_of` or the HTTP status.
    """
    try:
        envelope = _envelope.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # nested without end
        raise _not_rpc(answer) from None
    error, result = envelope.error, bytes(envelope.result)
    if error is None and envelope.message is not None and not result:
        error = {"code": envelope.code, "message": envelope.message}
    if error is not None:
        raise fault_of(answer, error)
    status = answer.fault("")
    if status is not None:
        raise status
    if not result:  # never the same as null
        raise ChainUnavailable("answer with neither result nor error")
    if envelope.id is None:
        raise _not_rpc(answer)
    if envelope.id != id:
        raise ChainUnavailable("answer to another request")
    return None if result == NULL else result


def fault_of(answer: Answer, error: object) -> ChainError:
    """What the `error` of a JSON-RPC answer means: an object, or whatever else stands there."""
    code, message, data = None, error, None
    if isinstance(error, dict):
        code, message, data = error.get("code"), error.get("message"), error.get("data")
    said = message if isinstance(message, str) else ""
    asked = _backoff_seconds(data) if answer.retry_after is None else answer.retry_after
    words = answer.redaction.excerpt(f"{said} (code {code})" if code is not None else said)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(words, retry_after=asked)
    kind = kind_of(code, said)
    if kind is EndpointRefused:
        return refusal(words)
    if kind is None and answer.status == HTTPStatus.BAD_REQUEST:  # a node's error, passed on
        return ChainUnavailable(words)
    if kind is None:
        return answer.fault(words) or ChainUnavailable(words or "an error without words")
    return kind(words, retry_after=asked if kind in _PASSING else None)


Kind = type[ChainUnavailable]
_PASSING: tuple[Kind, ...] = (ChainUnavailable, RateLimited)


def kind_of(code: object, message: str) -> Kind | None:
    """The class of a JSON-RPC error; None: nothing that is known.

    The order matters. "Query timeout exceeded. Consider reducing your block range" is about the
    range; a -32005 is a rate limit by some words and a size limit by others.
    """
    for known, kind in _BY_WORDS:
        if known(message):
            return kind
    return _BY_CODE.get(code) if isinstance(code, int) else None


def _words(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern, re.IGNORECASE).search


_BY_WORDS: tuple[tuple[Callable[[str], object], Kind], ...] = (
    (_words(r"^(execution reverted|invalid (opcode|jump)|out of gas|vm execution)"), Reverted),
    (
        _words(r"blocks? range|[\d,]+ range|too many blocks|response size|\d+ results"),
        EndpointRefused,
    ),
    (
        _words(
            r"rate.?limit|too many requests|limit (reached|exceeded)|(daily|request) (usage|count)"
            r"|exceeded .*(capacity|limit|quota)|credits limited|rps limit|quota"
        ),
        RateLimited,
    ),
    (_words(r"pruned|history .*(unavailable|not available)"), Missing),
    (_words(r"missing trie node|no state|state .*(available|not found)|archive"), NoState),
    (_words(r"header not found"), ChainUnavailable),
    (_words(r"\bblock not found|unknown block"), NoSuchBlock),
    (
        _words(
            r"method .*(not |un)(found|available|supported|allowed|exist)|does not exist"
            r"|unauthori[sz]ed|forbidden|api.?key|not supported|not (available|enabled) on|plan\b"
        ),
        EndpointRefused,
    ),
)
_BY_CODE: dict[int, Kind] = {
    429: RateLimited,
    -32005: RateLimited,  # limit exceeded
    -32007: RateLimited,  # QuickNode: requests per second
    4444: Missing,  # pruned history unavailable
    -39001: NoSuchBlock,
    -32601: EndpointRefused,  # method not found
    -32016: EndpointRefused,  # Goldsky: unauthorized
}


def _backoff_seconds(data: object) -> float | None:
    """What Infura adds to a rate limit: {"rate": {"backoff_seconds": 30}}."""
    rate = data.get("rate") if isinstance(data, dict) else None
    seconds = rate.get("backoff_seconds") if isinstance(rate, dict) else None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    return float(seconds) if 0 <= seconds <= LONGEST_BACKOFF else None


def _not_rpc(answer: Answer) -> ChainError:
    """HTML, nothing, or half an answer: a gateway speaks, which knows nothing of the chain."""
    words = answer.text or "empty"
    kind = kind_of(None, words)
    if kind in _PASSING:  # "You've exceeded the RPS limit", whatever the status
        return kind(words, retry_after=answer.retry_after)
    return answer.fault(words) or ChainUnavailable(f"not JSON-RPC: {words}")
