"""An operator's browser without a browser: cookies, forms and pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient

from tests.api.shop import ADMIN


@dataclass(frozen=True)
class Page:
    """What came back, unescaped for reading."""

    status: int
    html: str
    path: str
    answer: ClientResponse

    @property
    def text(self) -> str:
        """What a person reads: no marks, no tables, one space between words."""
        body = re.sub(r"<script.*?</script>|<style.*?</style>", " ", self.html, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())

    @property
    def csrf(self) -> str:
        match = re.search(r'name="csrf" value="([^"]+)"', self.html)
        assert match is not None, self.text
        return match[1]


@dataclass
class Operator:
    """Asks pages over a client whose cookies are kept."""

    http: TestClient[web.Request, web.Application]

    async def open(self, path: str = "", **query: str) -> Page:
        """A page below /admin/, after any redirects."""
        async with self.http.get(f"/admin/{path}", params=query) as answer:
            return await _page(answer)

    async def send(self, path: str, *fields: tuple[str, str], csrf: str | None = None) -> Page:
        """Post a form, with the token of the overview's unless another is given."""
        token = (await self.open()).csrf if csrf is None else csrf
        form = FormData([("csrf", token), *fields])
        async with self.http.post(f"/admin/{path}", data=form) as answer:
            return await _page(answer)

    async def log_in(self, token: str = ADMIN, wanted: str = "") -> Page:
        """Log in."""
        form = {"token": token, "next": wanted}
        async with self.http.post("/admin/login", data=form) as answer:
            return await _page(answer)


async def _page(answer: ClientResponse) -> Page:
    return Page(answer.status, await answer.text(), answer.url.path_qs, answer)
