"""What pages say, in the reader's language: one file per language in `messages/`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from aiohttp import web

DEFAULT = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    language: str
    sentences: Mapping[str, str]

    def __call__(self, key: str, **facts: object) -> str:
        """The sentence of this key with `facts` in it; KeyError where a language lacks it."""
        return self.sentences[key].format(**facts)

    def maybe(self, key: str, otherwise: str) -> str:
        """The sentence where there is one."""
        return self.sentences.get(key, otherwise)


def _read_all() -> dict[str, Words]:
    folder = files("watcher.web") / "messages"
    found = {}
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        language = file.name.removesuffix(".toml")
        sections = tomllib.loads(file.read_text("utf-8"))
        found[language] = Words(language, dict(_flat(sections)))
    return found


def _flat(sections: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    return [
        (f"{section}.{name}", sentence)
        for section, sentences in sections.items()
        for name, sentence in sentences.items()
    ]


LANGUAGES = _read_all()
"""By code: `en`, `es` …"""


def words_for(request: web.Request) -> Words:
    """As `?lang=` says, else what the browser likes most of what we speak, else English."""
    asked = request.query.get("lang", "")
    if asked in LANGUAGES:
        return LANGUAGES[asked]
    return next((LANGUAGES[each] for each in _liked(request) if each in LANGUAGES), _default())


def _default() -> Words:
    return LANGUAGES[DEFAULT]


def _liked(request: web.Request) -> list[str]:
    """The languages of Accept-Language (RFC 9110 12.5.4), the best first; "*" is English."""
    wishes = []
    for wish in ",".join(request.headers.getall("Accept-Language", [])).split(",")[:20]:
        tag, _, weight = wish.partition(";")
        language = tag.strip().lower().partition("-")[0].replace("*", DEFAULT)
        wishes.append((_weight(weight), language))
    return [language for weight, language in sorted(wishes, key=lambda each: -each[0]) if weight]


def _weight(text: str) -> int:
    """Thousandths; 0 is "not this", and so is what cannot be read."""
    text = text.replace(" ", "")
    if not text:
        return 1000
    whole, _, part = text.removeprefix("q=").partition(".")
    if whole not in ("0", "1") or not (part or "0").isascii() or not (part or "0").isdigit():
        return 0
    return min(1000, int(whole) * 1000 + int(f"{part:0<3}"[:3]))
