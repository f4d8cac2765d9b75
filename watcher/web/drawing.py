"""A sight drawn: the parts of the page that change while it is open, each with its version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from watcher.web.messages import Words
from watcher.web.pages import templates
from watcher.web.sight import Phase, Sight

PARTS = ("status", "pay", "seen", "after")
VERSION_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for a page as long as it is open."""

    words: Words
    root: str
    """What leads from the page to the top."""
    tail: str = ""
    """What follows our own links: the language, where it was chosen."""
    sandbox: bool = False
    """Whether there are nodes that can pay."""
    faults: Mapping[str, str] | None = None
    """By question, what is wrong with the answer."""
    answers: Mapping[str, str] | None = None
    """What was answered so far."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the page."""

    html: Markup
    version: str


def draw(sight: Sight, merchant: str, setting: Setting) -> dict[str, Part]:
    """Every part, by name."""
    facts = {"sight": sight, "merchant": merchant, "setting": setting, "words": setting.words}
    return {
        name: _part(
            templates.get_template(f"checkout_{name}.html").render(
                heading=heading(sight, setting.words), **facts
            )
        )
        for name in PARTS
    }


def heading(sight: Sight, words: Words) -> str:
    """What is going on, in a few words: also the title, and what a screen reader is told."""
    return words(f"heading.{_case(sight)}")


def _case(sight: Sight) -> str:
    if sight.phase is Phase.EXPIRED and sight.late:
        return "late"
    return sight.phase.value


def _part(html: str) -> Part:
    digest = hashlib.sha256(html.encode()).hexdigest()
    return Part(Markup(html), digest[:VERSION_DIGITS])  # from our templates, which escape
