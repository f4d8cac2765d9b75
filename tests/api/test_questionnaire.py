"""What a merchant asks and a payer answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import storage
from tests.api.shop import Json, Shop
from watcher import invoicing, questionnaire
from watcher.clock import now
from watcher.refused import BadField, NotFound, NotOpen, PayerMayNotCancel, Refused

ASKED = {
    "fields": [
        {"name": "size", "label": "Size", "type": "text", "required": True},
        {"name": "mail", "label": "E-mail", "type": "email", "required": False},
    ]
}


async def answer(shop: Shop, invoice: Json, answers: dict[str, str]) -> Json:
    async with storage.write(shop.engine) as conn:
        await questionnaire.answer_questionnaire(conn, shop.policy, invoice["id"], answers, now())
    return await shop.show(invoice)


async def test_answers_are_shown_and_told(shop: Shop) -> None:
    made = await shop.create(questionnaire=ASKED)
    assert made["questionnaire"] == {**ASKED, "answers": None}
    told = await answer(shop, made, {"size": "L"})
    assert told["questionnaire"] == {**ASKED, "answers": {"size": "L"}}
    again = await answer(shop, made, {"size": "M", "mail": "a@example.org"})
    assert again["questionnaire"]["answers"] == {"size": "M", "mail": "a@example.org"}
    async with storage.read(shop.engine) as conn:
        events = await storage.events.after(conn, shop.merchant_id, 0, 10)
    assert [str(each.type) for each in events] == [
        "invoice.created",
        "invoice.updated",
        "invoice.updated",
    ]
    assert events[1].data["invoice"]["questionnaire"]["answers"] == {"size": "L"}
    assert (again["status"], len(again["timeline"])) == ("awaiting_payment", 1)


@pytest.mark.parametrize(
    ("asked", "answers", "refusal"),
    [
        (ASKED, {}, BadField),
        (ASKED, {"size": "L", "mail": "odd"}, BadField),
        (None, {"size": "L"}, NotFound),
    ],
)
async def test_a_wrong_answer_changes_nothing(
    shop: Shop, asked: Json | None, answers: dict[str, str], refusal: type[Refused]
) -> None:
    made = await shop.create(questionnaire=asked)
    with pytest.raises(refusal):
        await answer(shop, made, answers)
    assert await shop.show(made) == made


async def test_a_closed_invoice_takes_no_answer(shop: Shop) -> None:
    made = await shop.create(questionnaire=ASKED)
    await shop.ask("POST", f"/v1/invoices/{made['id']}/cancel")
    with pytest.raises(NotOpen, match="cancelled"):
        await answer(shop, made, {"size": "L"})


async def test_no_question_is_no_questionnaire(shop: Shop) -> None:
    assert (await shop.create(questionnaire={"fields": []}))["questionnaire"] is None


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ([{"label": "Size"}], "fields.0.name"),
        ([{"name": "a b", "label": "Size"}], "fields.0.name"),
        ([{"name": "a"}], "fields.0.label"),
        ([{"name": "a", "label": ""}], "fields.0.label"),
        ([{"name": "a", "label": "A", "type": "colour"}], "fields.0.type"),
        ([{"name": "a", "label": "A", "required": 1}], "fields.0.required"),
        ([{"name": "a", "label": "A", "odd": 1}], "fields.0.odd"),
        ([{"name": "a", "label": "A"}] * 2, "fields"),
        ([{"name": f"n{i}", "label": "A"} for i in range(21)], "fields"),
    ],
)
async def test_a_question_that_cannot_be_asked_is_named(
    shop: Shop, fields: list[Any], place: str
) -> None:
    body = {"price": {"amount": "10", "currency": "USD"}, "questionnaire": {"fields": fields}}
    refused = await shop.post("/v1/invoices", body)
    assert (refused.status, refused.fields) == (422, [f"questionnaire.{place}"])


async def test_a_customer_has_an_email_address_or_none(shop: Shop) -> None:
    body = {"price": {"amount": "10", "currency": "USD"}, "customer": {"email": "nobody"}}
    refused = await shop.post("/v1/invoices", body)
    assert (refused.status, refused.fields) == (422, ["customer.email"])


async def test_a_payer_may_cancel_where_the_configuration_says_so(shop: Shop) -> None:
    made = await shop.create()
    async with storage.write(shop.engine) as conn:
        await invoicing.cancel_as_payer(conn, shop.policy, made["id"], now())
    shown = await shop.show(made)
    assert (shown["status"], shown["timeline"][-1]["reason"]) == ("cancelled", "cancelled_by_payer")


async def test_a_payer_may_not_cancel_where_it_does_not(shop: Shop) -> None:
    made = await shop.create()
    strict = replace(shop.policy, payer_may_cancel=False)
    async with storage.write(shop.engine) as conn:
        with pytest.raises(PayerMayNotCancel):
            await invoicing.cancel_as_payer(conn, strict, made["id"], now())
    assert await shop.show(made) == made
