"""Webhooks by the command line, as people run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_cli import CONFIG, Shell

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
    done = office.run("webhook", "ping", made["id"])
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.strip() == "the host's name cannot be resolved"
