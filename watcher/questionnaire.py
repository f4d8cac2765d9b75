"""What a merchant asks the payer on the checkout page, and the payer's answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal

from storage import Conn
from watcher import settling
from watcher.domain.deposits import Deposit
from watcher.domain.invoices import Invoice
from watcher.invoicing import OPEN, find_invoice
from watcher.policy import Policy
from watcher.refused import BadField, NotFound, NotOpen
from watcher.settling import Facts

QuestionType = Literal["text", "email", "phone", "number", "date"]
LONGEST_ANSWER = 1000

_SHAPES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "text": (re.compile(r"[^\0]+"), "must be text"),
    "email": (re.compile(r"[^@\s\0]+@[^@\s\0]+"), "must be an e-mail address"),
    "phone": (re.compile(r"\+?[0-9 ()./-]{4,30}"), "must be a telephone number"),
    "number": (re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?"), "must be a number such as 12.5"),
    "date": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "must be a date such as 2026-11-21"),
}


async def answer_questionnaire(
    conn: Conn, policy: Policy, invoice_id: str, answers: Mapping[str, str], now: int
) -> Invoice:
    """Keep the payer's answers, in place of earlier ones, and tell of them.

    Raises:
        NotFound: no such invoice, or it asks nothing.
        BadField: an answer to no question, one of another type, or a required one is missing.
        NotOpen: the invoice takes no payment any more.
    """
    found = await find_invoice(conn, None, invoice_id)
    asked: Any = found.details.get("questionnaire")
    if asked is None:
        raise NotFound("the invoice asks nothing")
    kept = check_answers(asked["fields"], answers)

    def edit(invoice: Invoice, deposits: Sequence[Deposit]) -> Facts:
        if invoice.status not in OPEN:
            raise NotOpen(f"the invoice is {invoice.status.value.replace('_', ' ')}")
        answered = {"fields": asked["fields"], "answers": kept}
        details = {**invoice.details, "questionnaire": answered}
        return replace(invoice, details=details), deposits

    return await settling.amend(conn, policy, invoice_id, edit, None, now)


def check_answers(
    fields: Sequence[Mapping[str, Any]], answers: Mapping[str, str]
) -> dict[str, str]:
    """The answers in the order of the questions, without blank ones; raises BadField."""
    known = {field["name"] for field in fields}
    for name in answers:
        if name not in known:
            raise BadField("is not asked", field=f"answers.{name[:64]}")
    given = {field["name"]: answers.get(field["name"], "").strip() for field in fields}
    for field in fields:
        name, text = field["name"], given[field["name"]]
        if not text and field["required"]:
            raise BadField("is required", field=f"answers.{name}")
        if text and (reason := why_wrong(field["type"], text)):
            raise BadField(reason, field=f"answers.{name}")
    return {name: text for name, text in given.items() if text}


def why_wrong(kind: str, text: str) -> str | None:
    """What an answer of this kind must be, where `text` is not."""
    if len(text) > LONGEST_ANSWER:
        return f"must be at most {LONGEST_ANSWER} characters"
    shape, sentence = _SHAPES[kind]
    if not shape.fullmatch(text):
        return sentence
    return None if kind != "date" or _is_day(text) else sentence


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
