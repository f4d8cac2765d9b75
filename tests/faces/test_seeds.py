"""The faces held to the original systems' own documents: requests, answers and words."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

import storage
from storage import Engine
from tests.api.shop import USDT, Json, Shop, add_key, make_policy, open_shop, serve
from tests.faces.asking import SEED_BODIES, ask, id_in, told_in
from tests.faces.likeness import (
    BITGPT,
    BITGPT_MORE,
    RFC_3339,
    hold_to_example,
    hold_to_fields,
)
from tests.faces.seeds import (
    Field,
    between,
    billium_fields,
    bitgpt_fields,
    blocks,
    curl,
    filled,
    options_of,
    payhubix_fields,
    seed,
    status_words,
    txcash_fields,
)
from tests.faces.test_all import NAMES, WORDS
from watcher.api import Access
from watcher.faces.bitgpt_currencies import CURRENCIES
from watcher.faces.ids import read_id
from watcher.web.returning import return_of

COINS = {"ethereum": ["ETH", "USDT", "USDC"], "polygon": ["POL", "WETH", "USDT", "USDC"]}
SAMPLES = {
    "callbackUrl": "https://example.com/callback",
    "shouldSendTransactionalCallback": True,
    "redirectUrl": "https://example.com/order",
    "redirectButtonTitle": "Back to the shop",
    "name": "email",
}
"""A value for every field that KUNA Pay's document names by its type alone."""
NEVER_SENT = {
    "bitgpt": {"PROCESSING": "G11: undefined; before money is seen PENDING is the honest word"}
}
"""The words that no status of ours has, and why."""


@pytest.fixture
async def shop(engine: Engine) -> AsyncIterator[Shop]:
    """A shop that takes every coin that the documents name."""
    endpoint = {"name": "own", "url": "http://127.0.0.1:1"}
    chosen = {
        name: {"endpoints": [endpoint], "confirmations": 3, "start_block": 0, "assets": coins}
        for name, coins in COINS.items()
    }
    coins = dict.fromkeys(["USDT", "USDC", "ETH", "WETH", "POL", "EUR"], "1")
    rates = {"fixed": {f"{coin}/USD": rate for coin, rate in coins.items()}}
    policy = make_policy(networks=chosen, rates=rates, invoices={})
    async with serve(engine, policy) as http:
        yield await open_shop(engine, policy, http)


async def taken(face: str, shop: Shop, body: Json, status: int) -> Json:
    """The face's new invoice; the request must be taken."""
    answer = await ask(face, shop, "POST", json=body)
    assert answer.status == status, answer.body
    return dict(answer.body)


async def settled(face: str, shop: Shop, made: Json) -> Json:
    """The invoice, paid with USDT and confirmed, as the face shows it."""
    ours = read_id("inv", id_in(face, made))
    chosen = await shop.post(f"/v1/invoices/{ours}/select", {"method": USDT})
    [quote] = [each for each in chosen.body["quotes"] if each["method"] == USDT]
    await shop.pay(quote["address"], int(quote["amount_units"]))
    await shop.mine(2)
    assert (await shop.show({"id": ours}))["status"] == "paid"
    return told_in(face, (await ask(face, shop, "GET", id_in(face, made))).body)


def longest(field: Field) -> int | None:
    """How long a text may be by the words beside it."""
    found = re.search(r"max(?:imum)? (\d+) char", field.told)
    return int(found[1]) if found else None


def long_text(field: Field, length: int) -> str:
    """A text of this length that is fine otherwise."""
    if field.name.endswith("email"):
        return "@example.com".rjust(length, "x")
    return ("https://example.com/" if field.name.endswith("url") else "").ljust(length, "x")


def test_without_the_documents_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("SEEDS", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="set SEEDS"):
        seed("kuna")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="set SEEDS"):
        seed("kuna")


def test_the_bodies_that_other_tests_send_are_those_of_the_documents() -> None:
    request, _ = blocks(seed("billium"))
    assert SEED_BODIES["billium"] == json.loads(request)
    assert SEED_BODIES["kuna"] == json.loads(re.sub(r",\s*}", "}", blocks(seed("kuna"))[0]))
    request, _ = blocks(seed("payhubix"))
    assert {**SEED_BODIES["payhubix"], "currencies": [1]} == json.loads(request)
    examples = {each.name: each.told for each in bitgpt_fields(seed("bitgpt"))}
    [item] = SEED_BODIES["bitgpt"]["items"]
    sent = {**item, "redirect_url": SEED_BODIES["bitgpt"]["redirect_url"]}
    for name in ("currency", "price", "redirect_url"):
        assert f'Example:\n\n"{sent[name]}"' in examples[name]
    assert {each.name for each in txcash_fields(seed("txcash"))} >= SEED_BODIES["txcash"].keys()


@pytest.mark.parametrize("face", ["billium", "payhubix"])
def test_the_body_in_the_command_is_the_one_on_the_page(face: str) -> None:
    text = seed(face)
    assert json.loads(between(curl(text), "-d '", "'")) == json.loads(blocks(text)[0])


@pytest.mark.parametrize("face", NAMES)
def test_every_status_of_the_document_is_a_word_of_the_face(face: str) -> None:
    table = dataclasses.asdict(WORDS[face]).values()
    ours = {word for words in table for word in (words if face == "bitgpt" else [words])}
    listed, never = set(status_words(face, seed(face))), NEVER_SENT.get(face, {})
    assert bool(listed) is (face != "kuna")
    assert listed - ours == never.keys()
    if face in ("txcash", "payhubix", "bitgpt"):  # these list all there are
        assert ours == listed - never.keys()


async def test_billiums_fields_are_taken_to_their_bounds(shop: Shop) -> None:
    fields = billium_fields(seed("billium"))
    assert (len(fields), len([each for each in fields if longest(each)])) == (9, 4)
    body, example = map(json.loads, blocks(seed("billium")))
    for field in fields:
        lean = {name: value for name, value in body.items() if name != field.name}
        answer = await ask("billium", shop, "POST", json=lean)
        assert answer.status == (400 if field.required else 201)
        assert field.required or example.keys() <= answer.body.keys()  # null, but never absent
        if length := longest(field):
            await taken("billium", shop, {**body, field.name: "x" * length}, 201)
            long = {**body, field.name: "x" * (length + 1)}
            answer = await ask("billium", shop, "POST", json=long)
            assert answer.status == 400
            assert answer.body["message"].startswith(field.name)


async def test_billiums_amount_is_taken_to_its_bounds_but_nothing_is_not(shop: Shop) -> None:
    """B4: its least is 0, by which an invoice could be free."""
    [field] = [each for each in billium_fields(seed("billium")) if each.type == "number"]
    bounds = re.search("Min ([0-9]+), max ([0-9 ]+)", field.told)
    assert bounds is not None
    least, most = (int(each.replace(" ", "")) for each in bounds.groups())
    body = json.loads(blocks(seed("billium"))[0])
    await taken("billium", shop, {**body, field.name: most}, 201)
    for amount in (least, most + 1):
        answer = await ask("billium", shop, "POST", json={**body, field.name: amount})
        assert answer.status == 400


async def test_each_of_billiums_errors_has_its_cause(engine: Engine, shop: Shop) -> None:
    listed = re.findall(r"^(4\d\d)(?=\w)", seed("billium"), re.MULTILINE)
    body = json.loads(blocks(seed("billium"))[0])
    made = await taken("billium", shop, body, 201)
    poor = (await add_key(engine, shop.merchant_id, "invoices:read")).text
    public = (await add_key(engine, shop.merchant_id, public=True)).text
    once = {"headers": {"Idempotency-Key": "1"}}
    await ask("billium", shop, "POST", json=body, **once)
    answers = [
        await ask("billium", shop, "POST", json={}),
        await ask("billium", shop, "POST", json=body, key=""),
        await ask("billium", shop, "POST", json=body, key=poor),
        await ask("billium", shop, "POST", made["id"], "cancel", key=public),
        await ask("billium", shop, "POST", json={**body, "name": "Other"}, **once),
    ]
    async with serve(engine, shop.policy, access=Access(per_key_per_minute=1)) as http:
        hurried = dataclasses.replace(shop, http=http)
        answers += [await ask("billium", hurried, "GET", made["id"]) for _ in range(2)][1:]
    assert [str(each.status) for each in answers] == ["400", "401", "403", "403", "409", "429"]
    assert list(dict.fromkeys(str(each.status) for each in answers)) == listed


async def test_kunas_example_is_no_json_as_written_and_opens_an_invoice_without_its_last_comma(
    shop: Shop,
) -> None:
    example = blocks(seed("kuna"))[0]
    refused = await ask("kuna", shop, "POST", data=example)
    assert (refused.status, refused.body["errors"][0]["code"]) == (400, "BAD_REQUEST")
    mended = await ask("kuna", shop, "POST", data=re.sub(r",\s*}", "}", example))
    assert mended.status == 201
    shown = (await ask("kuna", shop, "GET", mended.body["data"]["id"])).body["data"]
    assert (shown["invoiceAssetCode"], shown["invoiceAmount"]) == ("EUR", "1000")


async def test_kunas_optional_fields_are_taken_as_the_document_nests_them(shop: Shop) -> None:
    text = seed("kuna")
    minimal, callbacks, customization, _, questionnaire = blocks(text)
    fields = [filled(each, SAMPLES) for each in (callbacks, customization, questionnaire)]
    body = json.loads(re.sub(r",\s*}", "}", minimal))
    made = await taken("kuna", shop, {**body, **fields[0], **fields[1], **fields[2]}, 201)
    ours = await shop.show({"id": read_id("inv", id_in("kuna", made))})
    assert ours["callback_url"] == SAMPLES["callbackUrl"]
    assert ours["success_url"] == SAMPLES["redirectUrl"]
    assert ours["redirect_title"] == SAMPLES["redirectButtonTitle"]
    assert [each["name"] for each in ours["questionnaire"]["fields"]] == ["email"]
    async with storage.read(shop.engine) as conn:
        kept = await storage.invoices.get(conn, ours["id"])
    assert kept is not None
    assert kept.details["callback_per_deposit"] is True


async def test_every_route_that_kunas_document_names_is_served(shop: Shop) -> None:
    paths = set(re.findall(r"/v1/[a-z/]+", seed("kuna")))
    assert len(paths) == 3
    for path in paths:
        answer = await ask("kuna", shop, "GET", path=f"/compat/kuna{path}")
        assert answer.status == 200
        assert isinstance(answer.body["data"], list)


@pytest.mark.parametrize("place", [0, 1])
async def test_kunas_payer_returns_to_the_address_of_the_example(shop: Shop, place: int) -> None:
    example = re.findall(r"https://example\.com/\S+", seed("kuna"))[place]
    url, _, query = example.partition("?")
    named = dict(each.split("=") for each in query.split("&"))
    body = {**SEED_BODIES["kuna"], "customization": {"redirectUrl": url}}
    if "orderId" in named:
        body["externalOrderId"] = named["orderId"]
    made = await taken("kuna", shop, body, 201)
    await settled("kuna", shop, made)
    async with storage.read(shop.engine) as conn:
        invoice = await storage.invoices.get(conn, read_id("inv", id_in("kuna", made)))
    assert invoice is not None
    back = return_of(invoice)
    assert back is not None
    assert back.url == example.replace(named["invoiceId"], made["data"]["id"])


async def test_txcashs_fields_are_taken_with_the_values_that_it_shows(shop: Shop) -> None:
    text = between(seed("txcash"), "Request Body", "\nResponses\n")
    fields = txcash_fields(text)
    assert [each.name for each in fields if each.required] == ["amount"]
    url = re.findall(r"\{\{schema\}\}://\{\{host\}\}(\S+)", text)[0]
    code = re.findall(r"ETH coin: (\w+)", text)[0]
    samples: Json = {each.name: f"its {each.name}" for each in fields}
    samples |= {each.name: f"https://example.com{url}" for each in fields if "url" in each.name}
    samples |= {"amount": 49.99, "currency": "usd", "payment_currencies": code}
    lifetimes = {"300s": "5m", "2h45m": "165m"}
    assert re.findall(r"\d+[a-z0-9]+(?= or |\. Valid)", text) == list(lifetimes)
    for lifetime, ours in lifetimes.items():
        made = await taken("txcash", shop, {**samples, "valid_for": lifetime}, 200)
        given = ["amount", "name", "description", "fail_url", "meta_data1", "meta_data2"]
        assert [made[name] for name in given] == [samples[name] for name in given]
        assert made["notify_url"] == made["suceess_url"] == samples["callback_url"]
        assert made["base_currency"] == "USD"
        assert (await shop.show({"id": read_id("inv", made["id"])}))["valid_for"] == ours


async def test_every_coin_and_filter_of_txcash_names_its_coins(shop: Shop) -> None:
    text = seed("txcash")
    lines = re.findall(r"^ +\d\. \w+: (.+)$", text, re.MULTILINE)
    coins = [code for line in lines for code in line.split(", ")]
    filters = between(text, "Other supported filters: ", "\n").split(", ")
    assert (len(coins), len(filters)) == (6, 3)
    for code in [*coins, *filters]:
        body = {"amount": 1, "payment_currencies": code}
        made = await taken("txcash", shop, body, 200)
        named = {each["payment_currency"] for each in made["prices"]}
        network = code.partition("_")[0]
        stables = {each for each in coins if each in (f"{network}_usdt", f"{network}_usdc")}
        expected = {"all": set(coins), f"{network}_stables": stables}.get(code, {code})
        assert named - {"polygon_pol"} == expected, code


def txcash_answer() -> list[Field]:
    """The fields of its invoice, those of a payment by their place."""
    told = between(seed("txcash"), "\nInvoice id\n", "\n400\n")
    fields = [Field("id", "string", required=True, told=""), *txcash_fields(told)]
    names = [each.name for each in fields]
    first, end = names.index("tx_hash"), names.index("created_at")
    inner = [
        dataclasses.replace(each, name=f"payments[].{each.name}") for each in fields[first:end]
    ]
    assert len(inner) == 5
    return [*fields[:first], *inner, *fields[end:]]


async def test_txcashs_invoice_has_every_field_in_its_type(shop: Shop) -> None:
    made = await taken("txcash", shop, {"amount": 10, "name": "Order"}, 200)
    paid = await settled("txcash", shop, made)
    hold_to_fields(paid, txcash_answer())
    for name in ("created_at", "updated_at", "expires_on"):
        assert re.fullmatch(RFC_3339, json.dumps(paid[name]))


async def test_txcashs_errors_have_every_field_in_its_type(shop: Shop) -> None:
    schema = txcash_fields(seed("txcash").rpartition("\n400\n")[2])
    assert len(schema) == 6
    answer = await ask("txcash", shop, "POST", json={})
    names = [each.name for each in schema[2:]]
    inner = [dataclasses.replace(each, name=f"errors[].{each.name}") for each in schema[2:]]
    hold_to_fields(answer.body, [*schema[:2], *inner])
    assert (answer.status, list(answer.body["errors"][0])) == (400, names)


async def test_payhubixs_fields_are_taken_to_their_bounds(shop: Shop) -> None:
    fields = payhubix_fields(between(seed("payhubix"), "Request Body:", "An example of request"))
    assert (len(fields), len([each for each in fields if longest(each)])) == (8, 4)
    body = {**json.loads(blocks(seed("payhubix"))[0]), "currencies": []}
    for field in fields:
        lean = {name: value for name, value in body.items() if name != field.name}
        answer = await ask("payhubix", shop, "POST", json=lean)
        assert answer.status == (400 if field.required else 200)
        if length := longest(field):
            await taken("payhubix", shop, {**body, field.name: long_text(field, length)}, 200)
            long = {**body, field.name: long_text(field, length + 1)}
            answer = await ask("payhubix", shop, "POST", json=long)
            assert answer.status == 400
            assert answer.body["message"].startswith(field.name)


async def test_payhubixs_times_for_payment_are_read(shop: Shop) -> None:
    [text] = re.findall(r"HH:MM \(e\.g\., (\S+) for 2 hours and 20 minutes", seed("payhubix"))
    body = {**SEED_BODIES["payhubix"], "time_for_payment": text}
    made = await taken("payhubix", shop, body, 200)
    assert made["message"]["pure_expire_time"] == "02:20"


async def test_payhubixs_invoice_has_every_field_in_its_type(shop: Shop) -> None:
    made = await taken("payhubix", shop, SEED_BODIES["payhubix"], 200)
    fields = payhubix_fields(between(seed("payhubix"), "\nResponse\n", "An example of response"))
    assert len(fields) > 60
    hold_to_fields(await settled("payhubix", shop, made), fields)


async def test_bitgpts_object_is_as_its_examples_and_has_every_field(shop: Shop) -> None:
    fields = bitgpt_fields(seed("bitgpt"))
    found = [(each.name, re.search(r'Example:\n\n(".*")', each.told)) for each in fields]
    example = {name: json.loads(shown[1]) for name, shown in found if shown}
    made = await taken("bitgpt", shop, SEED_BODIES["bitgpt"], 201)
    hold_to_example(made["data"], example, BITGPT, BITGPT_MORE)
    wide = {"expand": ["items", "calculations", "organization", "payments"]}
    whole = await ask("bitgpt", shop, "POST", made["data"]["id"], json=wide)
    hold_to_fields(whole.body["data"], fields)


def test_bitgpts_currencies_are_those_of_its_page() -> None:
    [field] = [each for each in bitgpt_fields(seed("bitgpt")) if each.name == "currency"]
    assert options_of(field) == list(CURRENCIES)
