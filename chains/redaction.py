"""Keeps what is secret in an endpoint's URL and headers out of everything that people read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from chains.base import EndpointSettings

EXCERPT = 120  # characters of a node's own words that an error may quote
SHORTEST = 4  # a shorter part is no key, and hiding it would garble every text
SHORTEST_SEGMENT = 8  # `v2`, `mainnet` … are words of a path, not tokens


class Redaction:
    """Scrubs one endpoint's URL, its parts that may be keys, and its header values from text."""

    def __init__(self, settings: EndpointSettings) -> None:
        parts = sorted({*_secret_parts(settings)} - {""}, key=len, reverse=True)  # wholes first
        self._secrets = re.compile("|".join(map(re.escape, parts)), re.IGNORECASE)

    def scrub(self, text: str) -> str:
        return self._secrets.sub("***", text)

    def excerpt(self, text: str) -> str:
        """The beginning of `text` on one line, scrubbed before it is cut."""
        line = " ".join(self.scrub(text).split())
        return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"


def _secret_parts(settings: EndpointSettings) -> Iterator[str]:
    yield from _parts_of(settings.url)
    if settings.solidity_url is not None:
        yield from _parts_of(settings.solidity_url)
    for header in settings.headers.values():
        for value in (header, *header.split()):  # `Bearer <key>`: the key alone, too
            yield from _spellings(value, SHORTEST)


def _parts_of(whole: str) -> Iterator[str]:
    url = urlsplit(whole)
    yield whole
    yield url.netloc
    values = [url.username or "", url.password or "", url.hostname or "", url.query]
    values += [value for _, value in parse_qsl(url.query)]
    for value in values:
        yield from _spellings(value, SHORTEST)
    for segment in url.path.split("/"):
        yield from _spellings(segment, SHORTEST_SEGMENT)


def _spellings(value: str, shortest: int) -> Iterator[str]:
    return (text for text in (value, unquote(value)) if len(text) >= shortest)
