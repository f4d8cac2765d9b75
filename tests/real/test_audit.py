"""What the command `audit` finds on a real node: ether that a contract sent, and a sweep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.anvil import Anvil
from tests.real import contracts
from tests.real.process import ROOT
from tests.real.shop import ETH, ETHER, Shop, bill, run_shop
from tests.world import the_invoice, told
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Address

HOLDER = Address("0x90f79bf6eb2c4f870365e785982e1f101e93b906")  # the node's fourth account
FORWARDER = "0x" + "e5" * 20

Json = dict[str, Any]


@pytest.fixture
def node() -> Iterator[Anvil]:
    """A node whose blocks are final two below the head."""
    with Anvil(epoch_slots=1) as anvil:
        anvil.rpc("anvil_setBalance", HOLDER, "0x0")
        anvil.set_code(FORWARDER, contracts.forward(HOLDER))
        yield anvil


@pytest.fixture
async def shop(node: Anvil, tmp_path: Path, sqlite_url: str) -> AsyncIterator[Shop]:
    """An invoice over 2 ETH, whose calls nobody traces; already audited once."""
    ours = (bill(2 * ETHER, ETH, to=HOLDER),)
    keys = {"traces": "off", "assets": ["ETH"]}
    async with run_shop(tmp_path, sqlite_url, node.url, invoices=ours, **keys) as opened:
        await opened.follow(node, 4)
        assert audit(tmp_path)["findings"] == []
        yield opened


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "watcher", "--config", str(folder / "watcher.toml"), *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def audit(folder: Path, *words: str) -> Json:
    """What `audit --json` prints."""
    done = command(folder, "audit", *words, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


async def test_ether_that_a_contract_sent_is_found_in_its_block_and_accepted(
    shop: Shop, node: Anvil, tmp_path: Path
) -> None:
    await shop.follow(node, 3)
    node.send(FORWARDER, 2 * ETHER)
    await shop.follow(node)
    block = node.number()
    await shop.follow(node, 6)
    found = audit(tmp_path, "ethereum")
    assert [(run["reason"], run["addresses"]) for run in found["runs"]] == [(None, 1)]
    [finding] = found["findings"]
    expected = {
        "kind": "surplus",
        "method": ETH,
        "amount": "2",
        "first_block": block,
        "last_block": block,
        "block_hash": f"0x{node.hash(block)}",
        "state": "open",
    }
    assert {name: finding[name] for name in expected} == expected
    assert await told(shop.engine) == []

    accepted = audit(tmp_path, "--accept", finding["id"])
    assert accepted["state"] == "accepted"
    invoice = await the_invoice(shop.engine)
    assert (invoice.status, invoice.flags) == (InvoiceStatus.PAID, {Flag.MANUAL})
    assert audit(tmp_path)["findings"] == []
    again = command(tmp_path, "audit", "--accept", finding["id"])
    assert (again.returncode, again.stderr) == (
        1,
        "deposit-watcher: the finding is accepted already\n",
    )


async def test_what_the_owner_takes_out_is_no_alarm(
    shop: Shop, node: Anvil, tmp_path: Path
) -> None:
    node.send(HOLDER, 2 * ETHER)
    await shop.follow(node, 4)
    node.send(node.accounts[0], ETHER, sender=3)
    await shop.follow(node)
    block = node.number()
    await shop.follow(node, 4)
    [finding] = audit(tmp_path)["findings"]
    assert (finding["kind"], finding["state"]) == ("outgoing", "noted")
    assert (finding["first_block"], finding["last_block"]) == (block, block)
    assert int(finding["amount_units"]) > ETHER  # and the fee
    shown = command(tmp_path, "audit")
    assert "nothing differs" in shown.stdout
