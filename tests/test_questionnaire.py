"""What a payer may answer: to each question something of its kind."""

from __future__ import annotations

from typing import Any

import pytest

from watcher.questionnaire import check_answers, why_wrong
from watcher.refused import BadField

FIELDS: list[dict[str, Any]] = [
    {"name": "size", "label": "Size", "type": "text", "required": True},
    {"name": "mail", "label": "E-mail", "type": "email", "required": False},
]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text", "größe M"),
        ("email", "a@example.org"),
        ("phone", "+41 44 668 18 00"),
        ("number", "-12.50"),
        ("date", "2028-02-29"),
    ],
)
def test_an_answer_of_its_kind_is_taken(kind: str, text: str) -> None:
    assert why_wrong(kind, text) is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text", "a\0b"),
        ("text", "x" * 1001),
        ("email", "a.example.org"),
        ("email", "a b@example.org"),
        ("email", "@example.org"),
        ("phone", "call me"),
        ("phone", "12"),
        ("number", "1e5"),
        ("number", "٣"),
        ("number", "1,5"),
        ("date", "2026-02-30"),
        ("date", "20260101"),
        ("date", "tomorrow"),
    ],
)
def test_an_answer_of_another_kind_is_refused(kind: str, text: str) -> None:
    assert why_wrong(kind, text)


def test_answers_are_kept_in_the_order_of_the_questions_without_blanks() -> None:
    kept = check_answers(FIELDS, {"mail": " a@example.org ", "size": "L"})
    assert list(kept.items()) == [("size", "L"), ("mail", "a@example.org")]
    assert check_answers(FIELDS, {"size": "L", "mail": "  "}) == {"size": "L"}


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({}, "answers.size: is required"),
        ({"size": "  "}, "answers.size: is required"),
        ({"size": "L", "colour": "red"}, "answers.colour: is not asked"),
        ({"size": "L", "mail": "x"}, "answers.mail: must be an e-mail address"),
    ],
)
def test_what_cannot_be_kept_is_named(answers: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadField) as error:
        check_answers(FIELDS, answers)
    assert error.value.sentence == sentence
