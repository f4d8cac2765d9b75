"""What holds for every compatible face."""

from __future__ import annotations

import io
import json
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any, get_args

import pytest

from storage import Engine
from tests.api.shop import (
    Json,
    Shop,
    add_key,
    add_merchant,
    count_rows,
    open_shop,
    serve,
)
from tests.faces.asking import SEED_BODIES, ask, face_policy, id_in, opened, path_of
from watcher.api import Access
from watcher.api.compat import FACES
from watcher.api.reading import LARGEST_BODY
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.faces import billium, bitgpt, kuna, payhubix, txcash
from watcher.faces.ids import read_id
from watcher.faces.words import Words
from watcher.settings import Compat

PAGE = Path(__file__).parents[2] / "docs" / "faces.md"
WORDS: dict[str, Words[Any]] = {
    "billium": billium.WORDS,
    "kuna": kuna.WORDS,
    "txcash": txcash.WORDS,
    "payhubix": payhubix.WORDS,
    "bitgpt": bitgpt.WORDS,
}
TITLES = {
    "billium": "Billium",
    "kuna": "KUNA Pay",
    "txcash": "tx.cash",
    "payhubix": "PayHubix",
    "bitgpt": "BitGPT",
}
FLAGS = list(chain.from_iterable(combinations(Flag, size) for size in range(len(Flag) + 1)))
NAMES = list(FACES)

each_face = pytest.mark.parametrize("face", NAMES)


def test_every_face_may_be_configured_and_is_by_default() -> None:
    [literal] = get_args(Compat.model_fields["enabled"].annotation)
    assert list(get_args(literal)) == Compat().enabled == NAMES == list(SEED_BODIES)


async def test_a_face_that_is_not_enabled_is_not_there(engine: Engine) -> None:
    policy = face_policy()
    async with serve(engine, policy, faces=[]) as http:
        shop = await open_shop(engine, policy, http)
        for face in NAMES:
            assert (await ask(face, shop, "GET")).code == "not_found"


@each_face
def test_there_is_a_word_for_every_status_and_flag(face: str) -> None:
    """And no flag but `overpaid` of a paid invoice changes it."""
    for status, selected, flags in product(InvoiceStatus, (None, "ethereum:usdt"), FLAGS):
        shown = {"status": status.value, "selected": selected, "flags": [f.value for f in flags]}
        plain = {**shown, "flags": []}
        over = status is InvoiceStatus.PAID and Flag.OVERPAID in flags
        assert WORDS[face].of(shown) == (WORDS[face].overpaid if over else WORDS[face].of(plain))


@each_face
def test_the_table_of_words_is_the_documented_one(face: str) -> None:
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `") or line.startswith("| status |")
    ]
    titles = next(row for row in rows if row[0] == "status")
    lines = rows[rows.index(titles) + 1 :][:9]
    for status, selected, flag, *words in lines:
        chosen = None if selected == "no" else "ethereum:usdt"
        shown = {"status": status, "selected": chosen, "flags": [flag] if flag else []}
        written = words[titles.index(TITLES[face]) - 3]
        assert written == show_word(WORDS[face].of(shown))


def show_word(word: Any) -> str:
    """A word as the page writes it; one with a number beside it, too."""
    return " ".join(map(str, word)) if isinstance(word, tuple) else str(word)


@each_face
async def test_no_method_is_selected_at_creation(face: str, shop: Shop) -> None:
    made = await opened(face, shop)
    ours = await shop.show({"id": read_id("inv", id_in(face, made))})
    assert ours["selected"] is None
    assert all(quote["address"] is None for quote in ours["quotes"])


@each_face
async def test_an_invoice_of_another_api_is_shown_too(face: str, shop: Shop) -> None:
    ours = await shop.create()
    answer = await ask(face, shop, "GET", ours["id"])
    assert answer.status == 200
    assert read_id("inv", id_in(face, answer.body)) == ours["id"]


@each_face
async def test_every_answer_about_an_invoice_tells_what_no_face_can(face: str, shop: Shop) -> None:
    made = await ask(face, shop, "POST", json=SEED_BODIES[face])
    shown = await ask(face, shop, "GET", id_in(face, made.body))
    for answer in (made, shown):
        assert answer.headers["X-Watcher-Invoice"] == read_id("inv", id_in(face, made.body))
        assert answer.headers["X-Watcher-Status"] == "awaiting_payment"
        assert answer.headers["X-Watcher-Flags"] == ""
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


@each_face
async def test_a_path_may_end_with_a_slash(face: str, shop: Shop) -> None:
    made = await opened(face, shop)
    path = path_of(face, shop, id_in(face, made))
    assert (await ask(face, shop, "GET", path=f"{path}/")).status == 200
    second = await ask(face, shop, "POST", path=f"{path_of(face, shop)}/", json=SEED_BODIES[face])
    assert second.status in (200, 201)


@each_face
@pytest.mark.parametrize("key", ["", "sk_wrong"])
async def test_no_key_and_a_wrong_one_are_refused(face: str, shop: Shop, key: str) -> None:
    answer = await ask(face, shop, "POST", key=key, json=SEED_BODIES[face])
    assert enveloped(face, answer) == 401


@each_face
async def test_a_key_without_the_scope_is_refused(face: str, shop: Shop) -> None:
    key = (await add_key(shop.engine, shop.merchant_id, "invoices:read")).text
    answer = await ask(face, shop, "POST", key=key, json=SEED_BODIES[face])
    assert enveloped(face, answer) == 403


@each_face
async def test_another_merchants_invoice_is_not_found(face: str, shop: Shop) -> None:
    made = await opened(face, shop)
    other = await add_merchant(shop.engine, xpub=None)
    key = (await add_key(shop.engine, other)).text
    answer = await ask(face, shop, "GET", id_in(face, made), key=key)
    assert enveloped(face, answer) == 404


@each_face
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": "{"}, 400),
        ({"data": "[]"}, 400),
        ({"data": '{"amount": 1e}'}, 400),
        ({"data": "[" * 100_000}, 400),
        ({"data": b"\xff"}, 400),
        ({"data": "{}"}, 400),
        ({"data": b"{}", "headers": {"Content-Encoding": "gzip"}}, 400),
    ],
    ids=["cut", "an array", "no number", "deep", "no text", "empty", "not packed"],
)
async def test_a_bad_body_is_told_in_the_faces_envelope(
    face: str, shop: Shop, sent: Json, status: int
) -> None:
    assert enveloped(face, await ask(face, shop, "POST", **sent)) == status


@each_face
async def test_a_body_that_is_too_large_is_told_so(face: str, shop: Shop) -> None:
    data = io.BytesIO(b"x" * (LARGEST_BODY + 1))
    assert enveloped(face, await ask(face, shop, "POST", data=data)) == 413


@each_face
async def test_unknown_paths_and_methods_are_told_in_the_faces_envelope(
    face: str, shop: Shop
) -> None:
    assert enveloped(face, await ask(face, shop, "GET", path=f"/compat/{face}/nowhere")) == 404
    assert enveloped(face, await ask(face, shop, "DELETE")) == 405


@each_face
async def test_json_is_read_whatever_it_is_called_and_unknown_fields_are_ignored(
    face: str, shop: Shop
) -> None:
    body = json.dumps({**SEED_BODIES[face], "unknown": {"a": 1}})
    answer = await ask(
        face, shop, "POST", data=body, headers={"Content-Type": "text/plain; charset=utf-8"}
    )
    assert answer.status in (200, 201)


@each_face
async def test_the_same_create_again_is_answered_alike(face: str, shop: Shop) -> None:
    headers = {"Idempotency-Key": "order-1"}
    body = SEED_BODIES[face]
    respelled = json.dumps(dict(reversed(body.items())), indent=2)
    first = await ask(face, shop, "POST", headers=headers, json=body)
    again = await ask(face, shop, "POST", headers=headers, data=respelled)
    assert again == type(first)(first.status, first.body, again.headers)
    assert again.headers["X-Watcher-Invoice"] == first.headers["X-Watcher-Invoice"]
    assert (await count_rows(shop.engine))["invoices"] == 1


@each_face
async def test_another_create_under_the_same_key_is_a_conflict(face: str, shop: Shop) -> None:
    headers = {"Idempotency-Key": "order-1"}
    await ask(face, shop, "POST", headers=headers, json=SEED_BODIES[face])
    other = {**SEED_BODIES[face], "unknown": 1}
    answer = await ask(face, shop, "POST", headers=headers, json=other)
    assert enveloped(face, answer) == 409


@each_face
async def test_a_failed_create_leaves_its_key_free(face: str, engine: Engine) -> None:
    """Refused by its fields, and refused by the use case."""
    policy = face_policy()
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        headers = {"Idempotency-Key": "order-1"}
        nothing = await ask(face, shop, "POST", headers=headers, json={})
        poor = await add_merchant(engine, xpub=None)
        key = (await add_key(engine, poor)).text
        lone = Shop(engine, policy, poor, key, http)
        refused = await ask(face, lone, "POST", headers=headers, json=SEED_BODIES[face])
        assert [enveloped(face, each) for each in (nothing, refused)] == [400, 400]
        assert (await ask(face, shop, "POST", headers=headers, json=SEED_BODIES[face])).status < 300
        assert (await count_rows(engine))["idempotency"] == 1


@each_face
async def test_too_many_requests_say_when_to_come_back(face: str, engine: Engine) -> None:
    policy = face_policy()
    async with serve(engine, policy, access=Access(per_key_per_minute=1)) as http:
        shop = await open_shop(engine, policy, http)
        await ask(face, shop, "GET")
        answer = await ask(face, shop, "GET")
        assert enveloped(face, answer) == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["X-RateLimit-Remaining"] == "0"


def enveloped(face: str, answer: Any) -> int:
    """The status of an error, once sure that it is told as the face's clients expect."""
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    match face:
        case "billium":
            assert list(answer.body) == ["statusCode", "message", "error"]
            assert answer.body["statusCode"] == answer.status
            assert answer.body["message"]
        case "kuna":
            assert list(answer.body) == ["errors"]
            for each in answer.body["errors"]:
                assert list(each) == ["code", "message"]
                assert each["message"]
            assert answer.body["errors"]
        case "txcash":
            assert list(answer.body) == ["message", "errors"]
            assert answer.body["message"]
            for each in answer.body["errors"]:
                assert list(each) == ["resource", "code", "field", "description"]
                assert each["resource"] == "invoice"
                assert each["description"]
            assert answer.body["errors"]
        case "payhubix":
            assert list(answer.body) == ["error", "number", "message"]
            assert (answer.body["error"], answer.body["number"]) == (True, answer.status)
            assert isinstance(answer.body["message"], str)
            assert answer.body["message"]
        case "bitgpt":
            keys = "status data error log validator support_id message env"
            assert list(answer.body) == keys.split()
            told = {**answer.body, "error": None, "validator": None, "support_id": None}
            nothing = dict.fromkeys(told, None)
            assert told == {**nothing, "status": answer.status, "env": "production"}
            assert answer.body["error"]
            assert answer.body["support_id"].startswith("support_")
        case _:
            raise AssertionError(f"what an error of {face} looks like is not written down here")
    return int(answer.status)
