"""Webhooks by the command line, as people run it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.test_cli import CONFIG, Shell
from tests.test_derivation import ACCOUNT_XPUB
from tests.webhooks.receiver import Receiver
from watcher.api.webhook_answers import Delivery, Ping, Webhook, WebhookWithSecret

URL = "https://shop.example.org/hook"


@pytest.fixture
def office(tmp_path: Path) -> Shell:
    """A folder with a configuration and its key file."""
    shell = Shell(tmp_path)
    shell.does("init", "--path", "made.toml")
    (tmp_path / "made.key").rename(tmp_path / "watcher.key")
    (tmp_path / "watcher.toml").write_text(CONFIG)
    return shell


def test_a_webhook_lives_its_life(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    add = ("webhook", "add", "--merchant", merchant, "--url", URL, "--event", "invoice.*")
    made = json.loads(office.does(*add, "--json"))
    assert made["events"] == ["invoice.*"]
    assert made["secret"].startswith("whsec_")
    listing = ("webhook", "list", "--merchant", merchant, "--json")

    office.does("webhook", "disable", made["id"])
    assert json.loads(office.does(*listing))[0]["disabled_reason"] == "switched off"
    office.does("webhook", "enable", made["id"])
    assert json.loads(office.does(*listing))[0]["enabled"]

    rotated = json.loads(office.does("webhook", "rotate", made["id"], "--json"))
    assert rotated["secret"] != made["secret"]
    assert rotated["former_secret_until"] is not None

    deliveries = ("webhook", "deliveries", "--merchant", merchant, "--json")
    assert json.loads(office.does(*deliveries)) == []
    office.does("webhook", "remove", made["id"])
    assert json.loads(office.does(*listing)) == []
    assert "no such webhook" in office.fails("webhook", "enable", made["id"])


def test_a_webhook_is_the_same_json_wherever_it_is_printed(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    made = office.json("webhook", "add", "--merchant", merchant, "--url", URL)
    WebhookWithSecret.model_validate(made)
    webhook = {name: made[name] for name in Webhook.model_fields if name != "updated_at"}

    off = office.json("webhook", "disable", made["id"])
    assert off.pop("updated_at") >= made["updated_at"]
    assert off == {**webhook, "enabled": False, "disabled_reason": "switched off"}
    on = office.json("webhook", "enable", made["id"])
    assert on.pop("updated_at") >= made["updated_at"]
    assert on == webhook
    gone = {"id": made["id"], "object": "webhook", "deleted": True}
    assert office.json("webhook", "remove", made["id"]) == gone
    assert office.fails("webhook", "enable", made["id"], "--json") == "there is no such webhook"


def open_invoice(office: Shell, merchant: str) -> str:
    """The id of an invoice for ten dollars."""
    add = ("wallet", "add", "--merchant", merchant, "--family", "evm")
    office.does(*add, "--xpub", ACCOUNT_XPUB)
    price = ("--amount", "10", "--currency", "USD", "--method", "ethereum:usdt")
    return str(office.json("invoice", "create", "--merchant", merchant, *price)["id"])


def test_a_delivery_that_waits_is_counted_and_redelivered(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    made = office.json(
        "webhook", "add", "--merchant", merchant, "--url", URL, "--event", "invoice.created"
    )
    invoice = open_invoice(office, merchant)
    [waiting] = office.json("webhook", "deliveries", "--merchant", merchant)

    again = office.json("webhook", "redeliver", waiting["id"], "--merchant", merchant)
    Delivery.model_validate(again)
    assert (again["id"], again["webhook_id"]) == (waiting["id"], made["id"])
    assert (again["invoice_id"], again["state"], again["log"]) == (invoice, "waiting", [])
    assert office.json("webhook", "rotate", made["id"])["deliveries"]["pending"] == 1

    assert office.json("webhook", "disable", made["id"])["deliveries"]["pending"] == 0  # held
    redeliver = ("webhook", "redeliver", waiting["id"], "--merchant", merchant, "--json")
    assert "disabled" in office.fails(*redeliver)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--url", "http://shop.example.org/"), "url: must start with https://"),
        (("--url", "https://10.0.0.1/"), "url: must not lead to a private or special address"),
        (("--url", URL, "--event", "invoice"), "events.0: is no type of event"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(
    office: Shell, options: tuple[str, ...], reason: str
) -> None:
    merchant = office.does("merchant", "add", "Shop")
    assert reason in office.fails("webhook", "add", "--merchant", merchant, *options)


def test_a_ping_that_nobody_takes_fails_in_one_sentence(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    url = "https://nobody.invalid/hook"
    add = ("webhook", "add", "--merchant", merchant, "--url", url, "--json")
    made = json.loads(office.does(*add))
    told = office.fails("webhook", "ping", made["id"])
    assert told == "the test was not accepted: the host's name cannot be resolved"

    done = office.run("webhook", "ping", made["id"], "--json")
    assert (done.returncode, done.stderr) == (1, f"deposit-watcher: {told}\n")
    said = json.loads(done.stdout)
    Ping.model_validate(said)
    assert (said["ok"], said["status"], said["answer"]) == (False, None, "")
    assert said["error"] == "the host's name cannot be resolved"


async def test_a_ping_that_is_taken_says_so(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    config = office.folder / "watcher.toml"
    config.write_text(f"{config.read_text()}[webhooks]\nallow_private_addresses = true\n")
    async with Receiver() as receiver:
        add = ("webhook", "add", "--merchant", merchant, "--url", receiver.url("/hook"))
        made = office.json(*add)
        said = await asyncio.to_thread(office.json, "webhook", "ping", made["id"])
    Ping.model_validate(said)
    assert (said["ok"], said["status"], said["error"]) == (True, 200, None)
    [call] = receiver.calls
    assert call.verify(made["secret"])["type"] == "ping"
