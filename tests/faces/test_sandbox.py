"""Examples run against a sandbox, of our pages and the originals' documents; and its payments."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faces.likeness import BILLIUM, BILLIUM_MORE, PAYHUBIX, hold_to_example
from tests.faces.seeds import blocks, curl, python, seed
from tests.real.process import ROOT
from tests.real.test_sandbox import Sandbox, attempt, eventually
from watcher.faces.ids import read_id, uuid_of

Json = dict[str, Any]
SECONDS = 60


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The shop's sandbox."""
    sandbox = Sandbox(tmp_path_factory.mktemp("faces"))
    sandbox.start()
    yield sandbox
    assert sandbox.stop() == 0


@pytest.fixture(scope="module")
def environment(sandbox: Sandbox) -> dict[str, str]:
    """What the pages say is in the environment: a key with its id and secret, and whose it is."""
    merchant = sandbox.ask("/v1/invoices", {"price": {"amount": "1", "currency": "USD"}})
    done = attempt(sandbox.command("key", "add", "--merchant", merchant["merchant_id"]))
    assert done.returncode == 0, done.stderr
    [key] = re.findall(r"\bsk_\S+", done.stdout)
    [id] = re.findall(r"\bkey_\w+", done.stdout)
    [secret] = re.findall(r"\bwhsec_\S+", done.stdout)
    names = {"API": sandbox.url, "KEY": key, "ID": id, "SECRET": secret}
    shop = {"MERCHANT": merchant["merchant_id"], "SHOP": str(uuid_of(merchant["merchant_id"]))}
    return {**os.environ, **names, **shop}


def example(name: str, language: str) -> str:
    """The page's block of code in a language."""
    page = (ROOT / "docs" / f"moving-from-{name}.md").read_text()
    [block] = re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return str(block)


def output(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=True
    )
    return done.stdout


def test_billiums_curl_opens_an_invoice_once(sandbox: Sandbox, environment: dict[str, str]) -> None:
    command = ["bash", "-ec", example("billium", "sh")]
    first, second = (json.loads(output(command, environment)) for _ in range(2))
    assert first == second
    assert (first["status"], first["rawAmount"]) == ("AWAITING_PAYMENT", "49.990000")
    assert first["customer"]["email"] == "customer@example.com"


def test_kunas_curl_lists_currencies_and_opens_an_invoice(
    sandbox: Sandbox, environment: dict[str, str]
) -> None:
    said = output(["bash", "-ec", example("kuna", "sh")], environment)
    listed, end = json.JSONDecoder().raw_decode(said)
    made = json.loads(said[end:])["data"]
    assert "EUR" in {each["code"] for each in listed["data"]}
    ours = sandbox.invoice(read_id("inv", made["id"]))
    assert ours["price"] == {"amount": "1000", "currency": "EUR"}
    assert made["paymentLink"] == ours["checkout_url"]


def test_payhubixs_curl_opens_an_invoice(sandbox: Sandbox, environment: dict[str, str]) -> None:
    made = json.loads(output(["bash", "-ec", example("payhubix", "sh")], environment))
    told = made["message"]
    assert (made["error"], made["number"]) == (False, 0)
    assert [each["currency_symbol"] for each in told["currencies"]] == ["TRX"]
    ours = sandbox.invoice(read_id("inv", told["link"].replace("-", "_")))
    assert (told["invoice_url"], ours["external_id"]) == (ours["checkout_url"], "#12325425")


def test_bitgpts_curl_opens_an_invoice(sandbox: Sandbox, environment: dict[str, str]) -> None:
    made = json.loads(output(["bash", "-ec", example("bitgpt", "sh")], environment))["data"]
    ours = sandbox.invoice(read_id("inv", made["id"]))
    assert ours["price"] == {"amount": "504.818257074815", "currency": "EUR"}
    assert made["price"] == "504.818257074815000000000000000000"


def test_txcashs_curl_opens_an_invoice_and_says_where_to_pay(
    sandbox: Sandbox, environment: dict[str, str]
) -> None:
    said = output(["bash", "-ec", example("txcash", "sh")], environment)
    told = json.loads(said)
    ours = sandbox.invoice(read_id("inv", told["invoice_id"]))
    assert ours["selected"] == "polygon:usdc"
    assert (told["currency"], told["address"]) == ("polygon_usdc", ours["quotes"][0]["address"])


@pytest.mark.parametrize("name", ["billium", "kuna"])
def test_a_program_in_python_opens_an_invoice(
    sandbox: Sandbox, environment: dict[str, str], name: str
) -> None:
    said = output([sys.executable, "-c", example(name, "python")], environment).split()
    ours = sandbox.invoice(read_id("inv", said[0]))
    assert ours["face"]["name"] == name
    assert said[-1] == ours["checkout_url"]


def here(program: str, environment: dict[str, str]) -> str:
    """A program of a document with the address, the key and the shop that are ours."""
    own = {
        "https://api.billium.to": f"{environment['API']}/compat/billium",
        "https://api.payhubix.com": f"{environment['API']}/compat/payhubix",
        "sk_...": environment["KEY"],
        "YOUR_API_KEY": environment["KEY"],
        "019242e7-d18f-788f-813e-a2c72177e172": environment["SHOP"],
    }
    if shutil.which("uuidgen") is None:
        own["uuidgen"] = f"{sys.executable} -c 'import uuid; print(uuid.uuid4())'"
    for theirs, ours in own.items():
        program = program.replace(theirs, ours)
    return program


@pytest.fixture
def billium(environment: dict[str, str]) -> dict[str, str]:
    """What Billium's document says is in the environment."""
    names = {"API_KEY": environment["KEY"], "MERCHANT_ID": environment["MERCHANT"]}
    return {**environment, **{f"BILLIUM_{name}": value for name, value in names.items()}}


def test_the_command_of_billiums_document_is_answered_as_there(billium: dict[str, str]) -> None:
    text = seed("billium")
    made = json.loads(output(["bash", "-ec", here(curl(text), billium)], billium))
    hold_to_example(made, json.loads(blocks(text)[1]), BILLIUM, BILLIUM_MORE)


def test_the_program_of_billiums_document_is_answered_as_there(billium: dict[str, str]) -> None:
    """It names no address to go back to."""
    text = seed("billium")
    program = f"{here(python(text), billium)}\nimport json\nprint(json.dumps(invoice))"
    made = json.loads(output([sys.executable, "-c", program], billium))
    shown = {**json.loads(blocks(text)[1]), "redirectUrl": None}
    hold_to_example(made, shown, BILLIUM, BILLIUM_MORE)


def test_the_command_of_payhubixs_document_is_answered_as_there(
    environment: dict[str, str],
) -> None:
    text = seed("payhubix")
    made = json.loads(output(["bash", "-ec", here(curl(text), environment)], environment))
    hold_to_example(made, json.loads(blocks(text)[1]), PAYHUBIX)


def header_of(environment: dict[str, str], name: str) -> list[str]:
    """The header in which a face's clients send their key."""
    bearer = f"Authorization: Bearer {environment['KEY']}"
    own = {"kuna": f"api-key: {environment['KEY']}", "txcash": bearer, "bitgpt": bearer}
    return ["-H", own.get(name, f"X-Api-Key: {environment['KEY']}")]


def word(sandbox: Sandbox, environment: dict[str, str], name: str, id: str) -> str:
    """The status as the face shows it now."""
    path = {
        "billium": f"v1/merchants/merchant/{environment['MERCHANT']}/invoices/{id}",
        "kuna": f"v1/invoice/{id}",
        "txcash": f"invoice/{id}",
        "payhubix": f"v1/invoices/{id}",
        "bitgpt": f"invoices/{id}",
    }[name]
    url = f"{sandbox.url}/compat/{name}/{path}"
    method = "POST" if name == "bitgpt" else "GET"
    command = ["curl", "-sS", "-X", method, url, *header_of(environment, name)]
    body = json.loads(output(command, environment))
    told = body.get("data") or body.get("message") or body
    return "+".join(filter(None, (told["status"], told.get("substatus"))))


NAMES = ["billium", "kuna", "txcash", "payhubix", "bitgpt"]


def words_of(sandbox: Sandbox, environment: dict[str, str], id: str) -> list[str]:
    """What each face says, in the order of `NAMES`."""
    return [word(sandbox, environment, name, id) for name in NAMES]


def confirmed(sandbox: Sandbox, id: str) -> None:
    """Wait until what was paid is sure."""
    eventually(
        lambda: [each["status"] for each in sandbox.invoice(id)["deposits"]] == ["confirmed"],
        "the payment is confirmed",
    )


def open_through(sandbox: Sandbox, environment: dict[str, str], name: str) -> str:
    """An invoice over 9.99 USD, as a client of this face opens one; our id of it."""
    item = {"type": "PAYMENT_INTENT", "currency": "USD", "price": "9.99"}
    paths: dict[str, tuple[str, Json]] = {
        "billium": (
            f"v1/merchants/merchant/{environment['MERCHANT']}/invoices",
            {"name": "Order #8821", "rawAmount": 9.99},
        ),
        "kuna": ("v1/invoice", {"asset": "USD", "amount": "9.99"}),
        "txcash": ("invoice", {"amount": 9.99}),
        "payhubix": (
            "v1/invoices/",
            {
                "currency_amount": 9.99,
                "currency_symbol": "USD",
                "time_for_payment": "01:00",
                "currencies": [],
            },
        ),
        "bitgpt": ("invoices", {"items": [item]}),
    }
    path, body = paths[name]
    url = f"{sandbox.url}/compat/{name}/{path}"
    command = ["curl", "-sS", url, *header_of(environment, name), "-d", json.dumps(body)]
    said = json.loads(output(command, environment))
    told = said.get("data") or said.get("message") or said
    return read_id("inv", told["id"] if "id" in told else told["link"].removeprefix("INV-"))


UNSELECTED = ["AWAITING_PAYMENT", "CREATED", "pending", "Created", "PENDING"]
SELECTED = ["AWAITING_PAYMENT", "PAYMENT_AWAITING", "pending", "Pending", "PENDING"]
PAID = ["PAID", "PAID", "paid", "Paid", "COMPLETED"]
PAYMENTS = [
    (
        ["--amount", "4"],
        ["AWAITING_PAYMENT", "PARTIALLY_PAID", "under paid", "Partially", "PARTIALLY_PAID"],
    ),
    ([], PAID),
    (["--amount", "20"], ["OVERPAID", "PAID", "over paid", "Paid", "COMPLETED+OVERPAID"]),
]


@pytest.mark.parametrize("method", ["polygon:usdc", "tron:usdt"])
@pytest.mark.parametrize(("amount", "words"), PAYMENTS, ids=["a part", "all", "too much"])
def test_a_payment_on_the_embedded_nodes_reaches_its_words(
    sandbox: Sandbox,
    environment: dict[str, str],
    method: str,
    amount: list[str],
    words: list[str],
) -> None:
    id = sandbox.open_invoice(method)
    sandbox.order("pay", id, *amount)
    confirmed(sandbox, id)
    assert words_of(sandbox, environment, id) == words


@pytest.mark.parametrize("name", NAMES)
def test_an_invoice_opened_through_a_face_is_paid_with_the_words_of_all(
    sandbox: Sandbox, environment: dict[str, str], name: str
) -> None:
    id = open_through(sandbox, environment, name)
    assert words_of(sandbox, environment, id) == UNSELECTED
    sandbox.ask(f"/v1/invoices/{id}/select", {"method": "polygon:usdc"})
    assert words_of(sandbox, environment, id) == SELECTED
    sandbox.order("pay", id)
    sandbox.becomes(id, "paid")
    assert words_of(sandbox, environment, id) == PAID
    assert sandbox.invoice(id)["face"]["name"] == name


def test_money_that_waits_for_confirmations_has_its_word(
    sandbox: Sandbox, environment: dict[str, str]
) -> None:
    """For more blocks than there will be."""
    price = {"amount": "9.99", "currency": "USD"}
    body = {"price": price, "methods": ["polygon:usdc"], "confirmations": 500}
    id = sandbox.ask("/v1/invoices", body)["id"]
    sandbox.order("pay", id)
    sandbox.becomes(id, "confirming")
    assert words_of(sandbox, environment, id) == [
        "PENDING_CONFIRMATION",
        "CONFIRMATION_AWAITING",
        "pending",
        "Pending",
        "WAITING_FOR_CONFIRMATIONS",
    ]


def test_what_time_and_the_merchant_end_has_its_word(
    sandbox: Sandbox, environment: dict[str, str]
) -> None:
    """The last one here: the clocks of these networks stay ahead."""
    short, untouched, cancelled = [sandbox.open_invoice("polygon:usdc") for _ in range(3)]
    sandbox.ask(f"/v1/invoices/{cancelled}/cancel", {})
    sandbox.order("pay", short, "--amount", "4")
    confirmed(sandbox, short)
    for network in ("ethereum", "polygon"):
        sandbox.order("mine", network, "--advance", "2h")
    sandbox.becomes(short, "underpaid")
    sandbox.becomes(untouched, "expired")
    words = {
        name: [word(sandbox, environment, name, id) for id in (short, untouched, cancelled)]
        for name in NAMES
    }
    assert words == {
        "billium": ["UNDERPAID", "EXPIRED", "CANCELLED"],
        "kuna": ["PARTIALLY_PAID", "TIMEOUT", "DEACTIVATED"],
        "txcash": ["under paid", "expired", "cancelled"],
        "payhubix": ["PartiallyExpired", "Expired", "Canceled"],
        "bitgpt": ["PARTIALLY_PAID", "VOIDED", "VOIDED"],
    }
    expired = words_of(sandbox, environment, untouched)
    sandbox.order("pay", untouched, "--amount", "9.99")
    confirmed(sandbox, untouched)
    late = sandbox.invoice(untouched)
    assert (late["status"], late["flags"]) == ("expired", ["late"])
    assert words_of(sandbox, environment, untouched) == expired
    sandbox.ask(f"/v1/invoices/{untouched}/accept", {})
    assert words_of(sandbox, environment, untouched) == PAID
