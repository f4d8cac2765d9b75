"""Errors as RFC 9457 problem+json: one table from refusals to answers, one middleware.

Below the paths in `ENVELOPES` they look as that face's clients expect them. Never a traceback, a
secret or an endpoint's URL.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError

import storage
from chains.base import ChainError
from watcher import refused
from watcher.clock import new_id

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REFUSALS: dict[type[refused.Refused], tuple[int, str]] = {
    refused.BadField: (422, "invalid_field"),
    refused.NotFound: (404, "not_found"),
    refused.MoneySeen: (409, "money_seen"),
    refused.NotOpen: (409, "not_open"),
    refused.PayerMayNotCancel: (403, "payer_may_not_cancel"),
    refused.NothingToAccept: (409, "nothing_to_accept"),
    refused.NothingSeen: (409, "nothing_seen"),
    refused.UnknownDeposit: (422, "unknown_deposit"),
    refused.DepositOrphaned: (409, "deposit_orphaned"),
    refused.NoRate: (422, "no_rate"),
    refused.NoAddressLeft: (409, "no_address_left"),
    refused.EventsGone: (410, "events_gone"),
    refused.TooManyWebhooks: (409, "too_many_webhooks"),
    refused.WebhookDisabled: (409, "webhook_disabled"),
    refused.WalletInUse: (409, "wallet_in_use"),
    refused.AlreadyThere: (409, "already_exists"),
    refused.AddressTampered: (409, "address_mismatch"),
    refused.NotOurs: (409, "not_in_our_chain"),
    refused.Busy: (409, "busy"),
    refused.RequestRunning: (409, "idempotency_key_in_use"),
    refused.KeyReused: (409, "idempotency_key_reused"),
}
TITLES = {
    400: ("Bad Request", "not_json"),
    401: ("Unauthorized", "unauthorized"),
    403: ("Forbidden", "forbidden"),
    404: ("Not Found", "not_found"),
    405: ("Method Not Allowed", "method_not_allowed"),
    409: ("Conflict", "conflict"),
    410: ("Gone", "events_gone"),
    413: ("Content Too Large", "too_large"),
    415: ("Unsupported Media Type", "unsupported_media_type"),
    422: ("Unprocessable Content", "invalid_field"),
    429: ("Too Many Requests", "too_many_requests"),
    500: ("Internal Server Error", "internal_error"),
    503: ("Service Unavailable", "unavailable"),
}

NO_HTTP = (HttpProcessingError, web.RequestPayloadError)

log = structlog.get_logger()


def is_ours(record: logging.LogRecord) -> bool:
    """Whether a line of aiohttp's log tells of more than a request that is no HTTP.

    Such a request is answered 400 before any of our code, or its body is read to the end after our
    answer. Its traceback would repeat what was sent, keys too.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], NO_HTTP))


class Problem(Exception):
    """An answer that is an error."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[dict[str, str]] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.code = code or TITLES[status][1]
        self.errors, self.headers = list(errors), headers or {}


Envelope = Callable[[web.Request, Problem, str], web.Response]
"""Makes the answer of a request, its problem and its id."""
ENVELOPES: web.AppKey[Mapping[str, Envelope]] = web.AppKey("envelopes")
"""By how the path begins; elsewhere problem+json."""


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer with a request id."""
    request_id = new_id("req")
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        problem = _of_http(error)
    except Exception as error:
        problem = _of_exception(error, request_id, request.path)
    envelopes = request.app[ENVELOPES].items()
    envelope = next((each for path, each in envelopes if request.path.startswith(path)), None)
    return envelope(request, problem, request_id) if envelope else _answer(problem, request_id)


def _of_exception(error: Exception, request_id: str, path: str) -> Problem:
    match error:
        case Problem():
            return error
        case refused.Refused():
            return of_refusal(error)
        case ChainError():  # its text holds no URL, key or token
            return Problem(503, str(error), code="chain_unavailable")
        case web.RequestPayloadError():  # packed or cut into chunks, but not as it says
            return Problem(400, "the body cannot be read")
        case storage.StorageUnavailable():
            log.warning("no database", request_id=request_id)
            again = {"Retry-After": "5"}
            return Problem(503, "the database is away; try again", headers=again)
    log.error("a request failed", request_id=request_id, path=path, exc_info=error)
    return Problem(500, "something went wrong on our side")


def refusal(error: refused.Refused, request_id: str) -> web.Response:
    """The answer to what cannot be granted."""
    return _answer(of_refusal(error), request_id)


def of_validation(error: ValidationError) -> Problem:
    """422 with each field that is wrong; what was sent is not repeated."""
    errors = [
        {
            "field": ".".join(str(part) for part in each["loc"]),
            "code": each["type"],
            "message": each["msg"].removeprefix("Value error, "),
        }
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    first = errors[0]
    return Problem(422, f"{first['field'] or 'body'}: {first['message']}", errors=errors)


def of_refusal(error: refused.Refused) -> Problem:
    """What cannot be granted, by the table."""
    status, code = REFUSALS[type(error)]
    errors = [{"field": error.field, "code": code, "message": str(error)}] if error.field else []
    return Problem(status, error.sentence, code=code, errors=errors)


def _of_http(error: web.HTTPException) -> Problem:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    details = {
        404: "there is nothing at this path",
        405: "this path does not take this method",
        413: "the body is too large",
    }
    status = error.status if error.status in TITLES else 400
    return Problem(status, details.get(status, TITLES[status][0]), headers=headers)


def _answer(problem: Problem, request_id: str) -> web.Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES[problem.status][0],
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "errors": problem.errors,
        "request_id": request_id,
    }
    return web.json_response(
        body,
        status=problem.status,
        content_type="application/problem+json",
        headers={**problem.headers, "X-Request-Id": request_id},
    )
