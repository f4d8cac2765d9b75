"""Stories of `run --sandbox`: a process of its own, driven as a newcomer would drive it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.anvil import free_port
from tests.real.process import ROOT
from watcher.config import load
from watcher.daemon.sandbox import nodes_of, prepare

PORTS = ("port = 8080", ":18545", ":18546", ":18090")
UP_SECONDS, TURN_SECONDS, STOP_SECONDS, COMMAND_SECONDS = 30.0, 50.0, 10.0, 30
LEASE_SECONDS = 45.0  # a killed process's lease lapses, and its successor looks again

Json = dict[str, Any]


class Sandbox:
    """`run --sandbox` in a folder, on free ports; may be started again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "watcher.toml"
        prepare(self.config)
        text = self.config.read_text()
        for port in PORTS:
            text = text.replace(port, re.sub(r"\d+", str(free_port()), port))
        self.config.write_text(text)
        settings = load(self.config, {})
        self.nodes = {str(name): node.url for name, node in nodes_of(settings).items()}
        self.url = f"http://127.0.0.1:{settings.server.port}"
        self.said, self.log = folder / "said", folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def key(self) -> str:
        return (self.folder / "api-key").read_text().strip()

    def start(self) -> None:
        with self.said.open("wb") as said, self.log.open("ab") as log:
            command = self.command("run", "--sandbox")
            environ = {**os.environ, "WATCHER_LIMITS__PER_KEY_PER_MINUTE": "1000000"}
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=log, env=environ)
        eventually(self._greets, "the sandbox greets", UP_SECONDS)

    def _greets(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return "sandbox pay" in self.said.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "watcher", "--config", str(self.config), *words]

    def order(self, *words: str) -> str:
        """What `sandbox …` prints; it must succeed."""
        done = attempt(self.command("sandbox", *words))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, path: str, body: Json | None = None) -> Json:
        request = urllib.request.Request(
            f"{self.url}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return dict(json.load(response))

    def open_invoice(self, method: str) -> str:
        price = {"amount": "9.99", "currency": "USD"}
        return str(self.ask("/v1/invoices", {"price": price, "methods": [method]})["id"])

    def invoice(self, id: str) -> Json:
        return self.ask(f"/v1/invoices/{id}")

    def becomes(self, id: str, status: str, seconds: float = TURN_SECONDS) -> Json:
        """The invoice, as soon as it has this status."""
        eventually(lambda: self.invoice(id)["status"] == status, f"{id} is {status}", seconds)
        return self.invoice(id)

    def history(self, id: str) -> list[str]:
        return [each["status"] for each in self.invoice(id)["timeline"]]

    def number(self, network: str) -> int:
        """Of the newest block that the follower has."""
        [(number, _)] = [row for name, row in self.tips().items() if name == network]
        return number

    def tips(self) -> dict[str, tuple[int, str]]:
        """Number and hash of our newest blocks."""
        token = load(self.config, {}).admin.token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self.url}/admin/status", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            rows = json.load(response)["networks"]
        return {row["network"]: (row["tip"]["number"] or 0, row["tip"]["hash"]) for row in rows}

    def passes(self, network: str, blocks: int) -> None:
        """Wait until the follower has so many blocks more."""
        goal = self.number(network) + blocks
        eventually(lambda: self.number(network) >= goal, f"{network} has block {goal}")


def eventually(look: Callable[[], bool], what: str, seconds: float = TURN_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def attempt(command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_SECONDS, **more
    )


def complaint(command: list[str], **more: Any) -> str:
    """The one sentence with which a command fails."""
    done = attempt(command, **more)
    assert done.returncode == 1, done.stdout
    [sentence] = [line for line in done.stderr.splitlines() if "[info" not in line]
    return sentence.removeprefix("deposit-watcher: ")


def page(url: str) -> tuple[int, str]:
    """Status and text of what a browser would show."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One that runs, for all stories that leave it as good as it was."""
    made = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield from running(made)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sandbox]:
    """One of a story's own, not started yet."""
    made = Sandbox(tmp_path / "own")
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait(STOP_SECONDS)


def running(made: Sandbox) -> Iterator[Sandbox]:
    try:
        made.start()
        yield made
        assert made.stop() == 0, made.log.read_text()
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait(STOP_SECONDS)


def test_the_greeting_has_all_that_opens_an_invoice(sandbox: Sandbox) -> None:
    said = sandbox.said.read_text()
    assert sandbox.key in said
    assert f"{sandbox.url}/v1/invoices" in said
    [curl] = re.findall(r"curl .*\\\n.*", said)
    made = json.loads(attempt(["bash", "-c", curl]).stdout)
    assert (made["status"], made["livemode"]) == ("awaiting_payment", False)
    [pay] = re.findall(r"\S.*(sandbox pay) INVOICE", said)
    assert made["id"] not in sandbox.order(*pay.split()[1:], made["id"])
    sandbox.becomes(made["id"], "paid")


@pytest.mark.parametrize(
    "methods",
    [
        ("ethereum:eth", "ethereum:usdt"),
        ("polygon:pol", "polygon:usdc"),
        ("tron:trx", "tron:usdt"),
    ],
)
def test_coin_and_token_are_paid_by_way_of_confirming(
    sandbox: Sandbox, methods: tuple[str, str]
) -> None:
    for method in methods:
        id = sandbox.open_invoice(method)
        said = sandbox.order("pay", id)
        invoice = sandbox.becomes(id, "paid")
        assert sandbox.history(id) == ["awaiting_payment", "confirming", "paid"]
        [deposit] = invoice["deposits"]
        assert deposit["tx_hash"] in said
        assert f"{deposit['amount']} {deposit['asset']} to " in said
        assert invoice["livemode"] is False
        status, text = page(deposit["explorer_url"])
        assert status == 200
        assert deposit["tx_hash"] in text.partition("<h1>")[2]
        assert (
            page(f"{sandbox.url}/sandbox/{deposit['network']}/block/{deposit['block_number']}")[0]
            == 200
        )


@pytest.mark.parametrize("method", ["ethereum:eth", "tron:usdt"])
def test_what_was_ordered_is_json_in_the_words_of_its_deposit(
    sandbox: Sandbox, method: str
) -> None:
    id = sandbox.open_invoice(method)
    paid = json.loads(sandbox.order("pay", id, "--json"))
    assert (paid.pop("invoice_id"), paid.pop("method")) == (id, method)
    [deposit] = sandbox.becomes(id, "paid")["deposits"]
    assert paid == {name: deposit[name] for name in paid}
    assert paid.keys() == {"network", "asset", "amount", "amount_units", "to", "tx_hash"}


@pytest.mark.parametrize("network", ["ethereum", "tron"])
def test_mined_and_replaced_blocks_are_json(sandbox: Sandbox, network: str) -> None:
    mined = json.loads(sandbox.order("mine", network, "30", "--json"))
    head = mined.pop("head")
    assert mined == {"network": network, "blocks": 30, "advance_seconds": 0}
    eventually(lambda: sandbox.number(network) >= head, f"{network} has block {head}")
    hash = sandbox.tips()[network][1]

    replaced = json.loads(sandbox.order("reorg", network, "30", "--json"))
    assert (replaced["network"], replaced["depth"], len(replaced["dropped"])) == (network, 30, 30)
    assert replaced.keys() == {"network", "depth", "head", "dropped"}
    assert replaced["head"] > head
    assert hash in replaced["dropped"]


@pytest.mark.parametrize("method", ["ethereum:eth", "polygon:pol", "tron:trx", "ethereum:usdt"])
def test_what_a_contract_pays_counts(sandbox: Sandbox, method: str) -> None:
    id = sandbox.open_invoice(method)
    sandbox.order("pay", id, "--internal")
    sandbox.becomes(id, "paid")


@pytest.mark.parametrize("method", ["ethereum:eth", "polygon:usdc", "tron:usdt"])
def test_a_failed_payment_is_not_credited(sandbox: Sandbox, method: str) -> None:
    id = sandbox.open_invoice(method)
    sandbox.order("pay", id, "--fail")
    sandbox.passes(method.partition(":")[0], 3)
    invoice = sandbox.invoice(id)
    assert (invoice["status"], invoice["deposits"]) == ("awaiting_payment", [])


def test_an_amount_from_an_account_of_ones_choice_is_a_part_and_the_rest_completes_it(
    sandbox: Sandbox,
) -> None:
    id = sandbox.open_invoice("tron:usdt")
    sandbox.order("pay", id, "--amount", "4.5", "--from", "7")
    [first] = sandbox.becomes(id, "partially_paid")["deposits"]
    sandbox.order("pay", id, "--from", "7")
    second = sandbox.becomes(id, "paid")["deposits"][-1]
    assert (first["amount"], second["amount"]) == ("4.5", "5.49")
    assert first["from"] == second["from"]


def test_too_little_is_taken_as_paid_by_command_once_it_is_confirmed(sandbox: Sandbox) -> None:
    id = sandbox.open_invoice("polygon:usdc")
    sandbox.order("pay", id, "--amount", "9")
    sandbox.becomes(id, "partially_paid")
    done = attempt(sandbox.command("invoice", "accept", id, "--as-paid"))
    assert done.returncode == 0, done.stderr
    invoice = sandbox.becomes(id, "paid")
    assert (invoice["flags"], invoice["paid"]["confirmed"]) == (["manual"], "9")
    assert "accepted_as_paid" in [step["reason"] for step in invoice["timeline"]]


@pytest.mark.parametrize("network", ["ethereum", "polygon", "tron"])
def test_a_reorg_retracts_what_was_paid(sandbox: Sandbox, network: str) -> None:
    sandbox.order("mine", network, "30")  # so many can be replaced then
    id = sandbox.open_invoice(f"{network}:usdt")
    sandbox.order("pay", id)
    invoice = sandbox.becomes(id, "paid")
    depth = sandbox.number(network) - invoice["deposits"][0]["block_number"] + 1
    # While the command starts, a block is mined every second.
    sandbox.order("reorg", network, str(min(30, depth + 15)))
    invoice = sandbox.becomes(id, "awaiting_payment")
    assert [each["status"] for each in invoice["deposits"]] == ["orphaned"]
    assert "reorged" in invoice["flags"]
    sandbox.passes(network, 2)


def test_a_paid_invoice_is_paid_again_only_by_a_named_amount(sandbox: Sandbox) -> None:
    id = sandbox.open_invoice("tron:trx")
    sandbox.order("pay", id)
    sandbox.becomes(id, "paid")
    assert complaint(sandbox.command("sandbox", "pay", id)) == (
        "the invoice is paid; give an amount to pay it all the same"
    )
    sandbox.order("pay", id, "--amount", "100")
    eventually(lambda: "overpaid" in sandbox.invoice(id)["flags"], "it is overpaid")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("pay", "inv_0"), "there is no such invoice"),
        (("pay", "{id}", "--method", "tron:trx"), "method: tron:trx is not offered by this"),
        (("pay", "{id}", "--amount", "0"), "amount: must be more than zero"),
        (("pay", "{id}", "--amount", "ten"), "amount: "),
        (("mine", "solana"), "network: the sandbox has no solana; there are ethereum, polygon"),
        (("mine", "tron", "--advance", "soon"), "advance: "),
        (
            ("reorg", "tron", "31"),
            "the embedded tron node refused: all but the newest 30 blocks are",
        ),
    ],
)
def test_a_wrong_order_is_one_sentence(
    sandbox: Sandbox, words: tuple[str, ...], sentence: str
) -> None:
    id = sandbox.open_invoice("tron:usdt")
    filled = [word.replace("{id}", id) for word in words]
    assert complaint(sandbox.command("sandbox", *filled)).startswith(sentence)
    assert sandbox.invoice(id)["deposits"] == []


def test_what_the_explorer_cannot_find_is_a_page_that_says_so(sandbox: Sandbox) -> None:
    unknown = "ab" * 32
    for path in (
        f"ethereum/transaction/0x{unknown}",
        f"tron/transaction/{unknown}",
        "tron/transaction/xyz",
        "ethereum/block/999999999",
        "tron/block/999999999",
        "ethereum/block/-1",
        "tron/block/1e3",
        f"ethereum/block/{'9' * 5000}",
        "polygon/address/0x12",
        "tron/address/T1",
        "solana/block/1",
    ):
        status, text = page(f"{sandbox.url}/sandbox/{path}")
        assert status == 404, path
        assert "nothing here is real" in text, path


def test_the_explorer_escapes_what_it_is_asked_for(sandbox: Sandbox) -> None:
    status, text = page(
        f"{sandbox.url}/sandbox/tron/transaction/%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    )
    assert status == 404
    assert "&lt;script&gt;" in text
    assert "<script" not in text


@pytest.mark.parametrize("network", ["ethereum", "polygon", "tron"])
def test_the_explorer_shows_blocks_and_addresses(sandbox: Sandbox, network: str) -> None:
    assert page(f"{sandbox.url}/sandbox/{network}/block/0")[0] == 200
    id = sandbox.open_invoice(
        f"{network}:{ {'ethereum': 'eth', 'polygon': 'pol'}.get(network, 'trx') }"
    )
    sandbox.order("pay", id)
    address = sandbox.becomes(id, "paid")["quotes"][0]["address"]
    assert page(f"{sandbox.url}/sandbox/{network}/address/{address}")[0] == 200


def test_chain_time_that_is_moved_ahead_expires_an_invoice(own: Sandbox) -> None:
    own.start()
    id = own.open_invoice("tron:usdt")
    assert own.invoice(id)["status"] == "awaiting_payment"
    own.order("mine", "tron", "1", "--advance", "2h")
    own.becomes(id, "expired")
    assert complaint(own.command("sandbox", "pay", id)).startswith("the invoice is expired")


@pytest.mark.timeout(150)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_goes_on_with_chains_and_books(own: Sandbox, number: int) -> None:
    own.start()
    key = own.key
    paid, open_ = own.open_invoice("tron:usdt"), own.open_invoice("polygon:usdc")
    own.order("pay", paid)
    own.becomes(paid, "paid")
    before = own.tips()
    status = own.stop(number)
    assert status == (0 if number == signal.SIGTERM else -signal.SIGKILL), own.log.read_text()

    own.start()
    assert own.key == key
    assert own.invoice(paid)["status"] == "paid"
    for network, (height, _) in before.items():
        eventually(
            lambda network=network, height=height: own.number(network) > height,  # type: ignore[misc]
            f"{network} goes on",
            LEASE_SECONDS,
        )
    own.order("pay", open_)
    own.becomes(open_, "paid")
    assert "disconnect" not in own.log.read_text()


def test_a_port_in_use_is_one_sentence(own: Sandbox) -> None:
    for url, what in [
        *((url, f"networks.{name}: the embedded node cannot") for name, url in own.nodes.items()),
        (own.url, "server: cannot listen on"),
    ]:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", int(url.rpartition(":")[2])))
            taken.listen()
            sentence = complaint(own.command("run", "--sandbox"))
        assert sentence.startswith(what)
        assert sentence.endswith("already in use")


def test_an_order_to_a_sandbox_that_does_not_run_is_one_sentence(own: Sandbox) -> None:
    assert complaint(own.command("sandbox", "mine", "tron")) == (
        "the embedded tron node does not answer; does `run --sandbox` run?"
    )


def test_the_books_of_a_sandbox_are_closed_to_a_live_instance_and_its_own_to_a_sandbox(
    own: Sandbox, tmp_path: Path
) -> None:
    live = tmp_path / "live.toml"
    live.write_text(
        '[admin]\ntoken = "an-admin-token-for-tests"\n'
        f'[secrets]\nkey_file = "{own.folder / "watcher.key"}"\n'
        "[rates]\nsources = []\n"
        "[networks.ethereum]\n"
        'endpoints = [{ name = "a", url = "http://127.0.0.1:9" }]\n'
    )
    live_database = {**os.environ, "WATCHER_DATABASE__URL": f"sqlite:///{tmp_path / 'live.db'}"}
    sandboxes = {
        **os.environ,
        "WATCHER_DATABASE__URL": load(own.config, {}).database.url.get_secret_value(),
    }
    run_live = [sys.executable, "-m", "watcher", "--config", str(live), "run"]
    status_live = [*run_live[:-1], "status"]
    own.start()
    assert own.stop() == 0
    assert complaint(run_live, env=sandboxes).startswith(
        "this database belongs to a sandbox instance and cannot be used by a live one"
    )
    assert attempt(status_live, env=live_database).returncode == 0  # makes it a live one
    assert complaint(own.command("run", "--sandbox"), env=live_database).startswith(
        "this database belongs to a live instance and cannot be used by a sandbox one"
    )
