"""Stories of `explain` and `rescan` beside a running sandbox, as an operator would use them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.test_sandbox import Json, Sandbox, attempt, complaint, running

LISTED = "start_block = 0\n\n[networks.polygon]"
NOT_LISTED = f'assets = ["ETH"]\n{LISTED}'


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    yield from running(Sandbox(tmp_path_factory.mktemp("tools")))


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Sandbox]:
    """One that runs without looking for tokens on Ethereum, while its configuration lists them."""
    made = Sandbox(tmp_path / "forgetful")
    full = made.config.read_text()
    made.config.write_text(full.replace(LISTED, NOT_LISTED))
    assert made.config.read_text() != full
    for _ in running(made):
        made.config.write_text(full)
        yield made


def explained(sandbox: Sandbox, deposit: Json) -> Json:
    """What `explain --json` says of a deposit's transaction."""
    return does(sandbox, "explain", deposit["network"], deposit["tx_hash"], "--json")


def does(sandbox: Sandbox, *words: str) -> Json:
    done = attempt(sandbox.command(*words))
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("method", ["ethereum:eth", "polygon:usdc", "tron:usdt"])
def test_a_payment_is_explained_by_its_deposit(sandbox: Sandbox, method: str) -> None:
    id = sandbox.open_invoice(method)
    sandbox.order("pay", id)
    [deposit] = sandbox.becomes(id, "paid")["deposits"]
    body = explained(sandbox, deposit)
    [move] = [each for each in body["moves"] if each["verdict"] == "deposit"]
    assert (move["deposit_id"], move["invoice_id"]) == (deposit["id"], id)
    assert move["position"] == deposit["position"]
    assert body["block"]["hash"] == deposit["block_hash"]

    table = attempt(sandbox.command("explain", deposit["network"], deposit["tx_hash"])).stdout
    assert "of our chain" in table
    assert deposit["id"] in table


@pytest.mark.parametrize("method", ["ethereum:eth", "polygon:usdc", "tron:usdt"])
def test_a_failed_payment_is_explained_by_its_rule(sandbox: Sandbox, method: str) -> None:
    id = sandbox.open_invoice(method)
    said = sandbox.order("pay", id, "--fail")
    network = method.partition(":")[0]
    sandbox.passes(network, 2)
    body = does(sandbox, "explain", network, hash_in(said), "--json")
    assert body["state"] == "in_our_chain"
    assert {each["verdict"] for each in body["moves"]} == {"refused"}


def test_what_cannot_be_asked_for_is_one_sentence(sandbox: Sandbox) -> None:
    assert complaint(sandbox.command("explain", "ethereum", "0x12")).startswith("tx_hash: must be")
    unknown = complaint(sandbox.command("explain", "bitcoin", "7e" * 32))
    assert unknown.startswith("network: is none of the enabled ones: ethereum")
    assert complaint(sandbox.command("rescan", "ethereum", "--from", "999999")).startswith("from:")


def test_a_transaction_that_nobody_knows_is_said_to_be_unknown(sandbox: Sandbox) -> None:
    body = does(sandbox, "explain", "tron", "7e" * 32, "--json")
    assert (body["state"], body["moves"]) == ("unknown", [])


def test_a_token_that_was_not_looked_for_is_found_beside_the_running_daemon(
    forgetful: Sandbox,
) -> None:
    id = open_by_command(forgetful, "ethereum:usdt")
    said = forgetful.order("pay", id)
    forgetful.passes("ethereum", 2)
    assert forgetful.invoice(id)["deposits"] == []
    [hash] = [
        word.strip(".,;:") for word in said.split() if word.startswith("0x") and len(word) > 60
    ]

    [missing] = [
        each
        for each in does(forgetful, "explain", "ethereum", hash, "--json")["moves"]
        if each["verdict"] == "missing"
    ]
    assert (missing["asset"], missing["invoice_id"]) == ("USDT", id)
    assert "deposit-watcher rescan ethereum --from" in missing["detail"]

    first = does(forgetful, "rescan", "ethereum", "--from", "0", "--json")
    again = does(forgetful, "rescan", "ethereum", "--from", "0", "--json")
    assert [len(first["added"]), len(again["added"])] == [1, 0]
    assert any("ETH that contracts send" in warning for warning in first["warnings"])
    [deposit] = forgetful.becomes(id, "paid")["deposits"]
    assert (deposit["asset"], deposit["tx_hash"]) == ("USDT", hash)


def hash_in(said: str) -> str:
    """The transaction that `sandbox pay` told of."""
    [hash] = re.findall(r"(?:0x)?[0-9a-f]{64}", said)
    return str(hash)


def open_by_command(sandbox: Sandbox, method: str) -> str:
    """An invoice opened by the configuration as it is now, not by the daemon's."""
    merchants = attempt(sandbox.command("merchant", "list", "--json")).stdout
    [merchant] = json.loads(merchants)
    words = ("--merchant", merchant["id"], "--amount", "9.99", "--currency", "USD")
    body = does(sandbox, "invoice", "create", *words, "--method", method, "--json")
    return str(body["id"])
