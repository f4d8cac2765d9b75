"""What all pages share: templates, headers that keep strangers out, faults that people can read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial, wraps

import structlog
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from multidict import MultiDict

import storage
from watcher.api.errors import REFUSALS, TITLES, Problem
from watcher.domain.currencies import written_out
from watcher.refused import Refused
from watcher.web.assets import ASSETS
from watcher.web.messages import words_for

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

POLICY_OF_PAGES = "; ".join(
    (
        "default-src 'none'",
        "connect-src 'self'",
        "form-action 'self'",
        "img-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY_OF_PAGES,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # "no-referrer" would take the origin from our own forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
AWAY = "the database is away; try again"

log = structlog.get_logger()
templates = Environment(
    loader=PackageLoader("watcher.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters["written_out"] = written_out
templates.filters["as_json"] = partial(json.dumps, indent=2, ensure_ascii=False)
templates.globals["asset"] = lambda name: ASSETS[name].path


def show(request: web.Request, template: str, status: int = 200, **facts: object) -> web.Response:
    """A page: `template` with `facts`, and with `root`, what leads to the top from here."""
    page = templates.get_template(template).render(root=root_of(request), **facts)
    return web.Response(status=status, text=page, content_type="text/html", headers=HEADERS)


def root_of(request: web.Request) -> str:
    """The way up: "../" for /pay/inv_…, so that links hold below a proxy's path, too."""
    return "../" * (request.rel_url.raw_path.count("/") - 1) or "./"


def is_foreign(request: web.Request, public_url: str) -> bool:
    """Whether a browser says that a page of another site sent this.

    What is no browser says nothing, and carries nothing that another site could borrow.
    """
    told = request.headers.get("Sec-Fetch-Site")
    if told is not None:
        return told not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    site, _, _ = public_url.partition("://")[2].partition("/")
    return origin.partition("://")[2] not in (site, request.host)


async def posted(request: web.Request) -> MultiDict[str]:
    """The texts of the form that a page sent.

    Raises:
        Problem: 400, it is none.
    """
    try:
        fields = await request.post()
    except (ValueError, LookupError, web.RequestPayloadError) as error:  # LookupError: its charset
        raise Problem(400, "the form cannot be read") from error
    return MultiDict((name, text) for name, text in fields.items() if isinstance(text, str))


def as_page(handler: Handler) -> Handler:
    """Let a handler of pages show its faults as a page; the words never hold a secret."""

    @wraps(handler)
    async def shown(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as problem:
            return fault(request, problem.status, problem.detail, problem.headers)
        except Refused as error:
            status, _ = REFUSALS.get(type(error), (409, ""))  # an embedded node's is not listed
            return fault(request, status, error.sentence)
        except storage.StorageUnavailable:
            log.warning("no database", path=request.path)
            return fault(request, 503, AWAY, {"Retry-After": "5"})
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return fault(request, error.status, error.reason)
        except Exception:
            log.exception("a page failed", path=request.path)
            return fault(request, 500, TITLES[500][0])

    return shown


def fault(
    request: web.Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> web.Response:
    """A page that says what went wrong; in the reader's language where we know how."""
    words = words_for(request)
    sentence = words.maybe(f"fault.{status}", detail)
    wait = (headers or {}).get("Retry-After") if request.method == "GET" else None
    page = show(request, "fault.html", status, words=words, sentence=sentence, refresh=wait)
    page.headers.update(headers or {})
    return page
