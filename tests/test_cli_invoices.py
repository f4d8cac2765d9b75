"""Invoices by the command line: what can be said of one, looking through them, selecting."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.test_cli import CONFIG, Shell
from tests.test_derivation import ACCOUNT_XPUB
from watcher.api.answers import Invoice

PRICE = ("--amount", "10", "--currency", "USD")


class Shop(Shell):
    """A folder with a configuration, a merchant and his wallet."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        priced = CONFIG.replace("fixed = {", 'fixed = { "ETH/USD" = "2000",')
        (folder / "watcher.toml").write_text(priced)
        key = folder / "watcher.key"
        key.write_text("t" * 43 + "=\n")
        key.chmod(0o600)
        self.merchant = self.does("merchant", "add", "Shop")
        add = ("wallet", "add", "--merchant", self.merchant, "--family", "evm")
        self.does(*add, "--xpub", ACCOUNT_XPUB)
        self.of = ("--merchant", self.merchant)

    def opens(self, *options: str) -> str:
        """The id of a new invoice."""
        return str(self.json("invoice", "create", *self.of, *PRICE, *options)["id"])

    def lists(self, *options: str) -> list[str]:
        """The ids that a list gives."""
        return [each["id"] for each in self.json("invoice", "list", *self.of, *options)]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_an_invoice_is_opened_with_all_that_is_said_of_it(shop: Shop) -> None:
    said = {
        "description": "Two of them",
        "tolerance": "0.5",
        "confirmations": "12",
        "success-url": "https://shop.example/thanks",
        "fail-url": "https://shop.example/sorry",
    }
    options = [part for name, value in said.items() for part in (f"--{name}", value)]
    labels = ("--metadata", "order=8821", "--metadata", "note=a=b")
    made = shop.json("invoice", "create", *shop.of, *PRICE, *options, *labels)
    Invoice.model_validate(made)
    assert made["description"] == "Two of them"
    assert (made["tolerance_percent"], made["confirmations"]) == ("0.5", 12)
    assert (made["success_url"], made["fail_url"]) == (said["success-url"], said["fail-url"])
    assert made["metadata"] == {"order": "8821", "note": "a=b"}


def test_confirmations_may_be_finalized(shop: Shop) -> None:
    made = shop.json("invoice", "create", *shop.of, *PRICE, "--confirmations", "finalized")
    assert {quote["required_confirmations"] for quote in made["quotes"]} == {"finalized"}


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("--tolerance", "100", "tolerance_percent"),
        ("--confirmations", "0", "confirmations"),
        ("--confirmations", "soon", "confirmations"),
        ("--confirmations", "9" * 5000, "confirmations"),
        ("--success-url", "javascript:alert(1)", "success_url"),
        ("--fail-url", "shop.example", "fail_url"),
        ("--description", "x" * 5001, "description"),
        ("--metadata", "order", "metadata"),
    ],
)
def test_what_cannot_be_said_of_an_invoice_is_named(
    tmp_path: Path, option: str, value: str, field: str
) -> None:
    shell = Shell(tmp_path)
    told = shell.fails("invoice", "create", "--merchant", "mer_1", *PRICE, option, value)
    assert told.startswith(f"{field}: ")


def test_a_method_is_selected_and_gets_its_address(shop: Shop) -> None:
    made = shop.opens()
    selected = shop.json("invoice", "select", made, "ethereum:usdt")
    Invoice.model_validate(selected)
    assert selected["selected"] == "ethereum:usdt"
    assert all(quote["address"] for quote in selected["quotes"])
    told = shop.fails("invoice", "select", made, "ethereum:doge")
    assert told == "method: ethereum:doge is not offered by this invoice"
    assert shop.fails("invoice", "select", "inv_none", "ethereum:eth") == "there is no such invoice"


def test_a_list_is_filtered_and_goes_on_after_its_last_invoice(shop: Shop) -> None:
    first, second, third = (shop.opens("--external-id", number) for number in "121")
    with closing(sqlite3.connect(shop.folder / "watcher.db")) as books, books:
        books.execute("UPDATE invoices SET flags = ',late,' WHERE id = ?", (second,))
    assert shop.lists("--limit", "2") == [third, second]
    assert shop.lists("--limit", "2", "--after", second) == [first]
    assert shop.lists("--after", first) == []
    assert shop.lists("--external-id", "1") == [third, first]
    assert shop.lists("--flag", "late") == [second]
    assert shop.lists("--flag", "late", "--external-id", "1") == []


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [("--flag", "odd", "flag"), ("--status", "odd", "status"), ("--after", "inv_none", "after")],
)
def test_a_filter_that_there_is_not_is_named(
    shop: Shop, option: str, value: str, field: str
) -> None:
    told = shop.fails("invoice", "list", *shop.of, option, value)
    assert told.startswith(f"{field}: ")
