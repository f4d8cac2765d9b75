"""Languages: each says everything, and the reader gets the one he likes most."""

from __future__ import annotations

import re
import string

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from watcher.web.messages import LANGUAGES, words_for

ENGLISH = LANGUAGES["en"]


def facts(sentence: str) -> set[str]:
    """The names of what a sentence is filled with."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_language_says_everything_that_english_does(language: str) -> None:
    sentences = LANGUAGES[language].sentences
    assert sentences.keys() == ENGLISH.sentences.keys()
    for key, sentence in sentences.items():
        assert facts(sentence) == facts(ENGLISH.sentences[key]), key
        assert sentence.strip(), key


def test_there_are_four_languages() -> None:
    assert set(LANGUAGES) == {"en", "es", "ru", "zh"}


@pytest.mark.parametrize(
    ("path", "wish", "language"),
    [
        ("/", None, "en"),
        ("/", "", "en"),
        ("/", "ru", "ru"),
        ("/", "de-DE, es-MX;q=0.8, en;q=0.5", "es"),
        ("/", "en;q=0.5, zh-Hans-CN;q=0.51", "zh"),
        ("/", "ru;q=0, es;q=0.001", "es"),
        ("/", "de, *;q=0.1", "en"),
        ("/", "ru;q=high, es;q=-1, zh;q=0.1", "zh"),
        ("/", "xx;;;,=,ru;q", "en"),
        ("/?lang=zh", "ru", "zh"),
        ("/?lang=xx", "ru", "ru"),
        ("/?lang=../en", None, "en"),
    ],
)
def test_the_reader_gets_the_language_he_likes_most(
    path: str, wish: str | None, language: str
) -> None:
    headers = CIMultiDict({} if wish is None else {"Accept-Language": wish})
    request = make_mocked_request("GET", path, headers=headers)
    assert words_for(request).language == language


def test_no_sentence_holds_markup() -> None:
    for words in LANGUAGES.values():
        for key, sentence in words.sentences.items():
            assert not re.search(r"[<>&]", sentence), (words.language, key)
