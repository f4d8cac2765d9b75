"""The command line, run as people run it: what it prints, its exit codes, its one sentence."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from storage import close, open_engine
from storage.migrate import schema_state
from tests.test_derivation import ACCOUNT_XPUB, PHRASE
from tests.web.png import paint
from watcher.api.answers import NewWallet, Wallet
from watcher.api.operator_answers import Key, Merchant, NewKey
from watcher.cli import app

ROOT = Path(__file__).parent.parent
FIRST = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
CONFIG = """
[admin]
token = "an-admin-token-of-some-length"
[secrets]
key_file = "watcher.key"
[networks.ethereum]
endpoints = [{ name = "own", url = "http://127.0.0.1:9/SECRET" }]
assets = ["ETH", "USDT"]
[rates]
sources = []
fixed = { "USDT/USD" = "1" }
"""


class Shell:
    """A folder to run commands in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "watcher", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def does(self, *arguments: str) -> str:
        """What a command that succeeds prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def json(self, *arguments: str) -> Any:
        """What a command that succeeds prints with `--json`."""
        return json.loads(self.does(*arguments, "--json"))

    def fails(self, *arguments: str, code: int = 1, **environ: str) -> str:
        """What a command that fails says; one sentence in our own words where the code is 1."""
        done = self.run(*arguments, **environ)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert not any(word in done.stderr for word in ("Traceback", "SECRET"))
        if code == 1:
            assert done.stderr.startswith("deposit-watcher: ")
            assert done.stderr.count("\n") == 1
        return done.stderr.removeprefix("deposit-watcher: ").strip()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty folder."""
    return Shell(tmp_path)


@pytest.fixture
def office(shell: Shell) -> Shell:
    """A folder with a configuration."""
    (shell.folder / "watcher.toml").write_text(CONFIG)
    key = shell.folder / "watcher.key"
    key.write_text("t" * 43 + "=\n")
    key.chmod(0o600)
    return shell


def commands(command: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every command and group, by what one types."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{path} {name}".strip())


@pytest.mark.parametrize(("path", "command"), list(commands(get_command(app))))
def test_the_help_is_one_whole_sentence(path: str, command: object) -> None:
    sentence = str(getattr(command, "help", "")).partition("\n")[0]
    assert re.fullmatch(r"[A-Z][^.]+\.", sentence), path
    assert not path or len(sentence) <= 60, "longer, and the list of commands cuts it"


@pytest.mark.parametrize(("path", "command"), list(commands(get_command(app))))
def test_every_parameter_is_explained(path: str, command: object) -> None:
    silent = [each.name for each in command.params if not getattr(each, "help", None)]  # type: ignore[attr-defined]
    assert silent == [], path


WITHOUT_JSON = {"run": "serves until it is stopped; --log-format makes its log JSON"}
LEAVES = {path: each for path, each in commands(get_command(app)) if not hasattr(each, "commands")}


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_but_the_named_prints_json(path: str) -> None:
    options = {option for each in LEAVES[path].params for option in each.opts}  # type: ignore[attr-defined]
    assert ("--json" in options) is (path not in WITHOUT_JSON)


def test_what_prints_no_json_is_a_command() -> None:
    assert WITHOUT_JSON.keys() <= LEAVES.keys()


def test_no_command_at_all_shows_the_help_and_is_wrong_use(shell: Shell) -> None:
    done = shell.run()
    assert done.returncode == 2
    assert "Usage: deposit-watcher" in done.stdout + done.stderr


def test_the_version_is_told(shell: Shell) -> None:
    assert re.fullmatch(r"deposit-watcher \d+\.\d+\.\d+", shell.does("--version"))


def test_init_writes_once_and_only_what_there_is(shell: Shell) -> None:
    assert shell.does("init").startswith("wrote watcher.toml")
    text = (shell.folder / "watcher.toml").read_text()
    assert "[networks.ethereum]" in text
    assert "sepolia" not in text
    assert "watcher.toml exists already" in shell.fails("init")
    assert (shell.folder / "watcher.toml").read_text() == text
    assert "no network is enabled" in shell.fails("run")


def test_init_names_what_it_wrote(shell: Shell) -> None:
    key_file = shell.folder / "made.key"
    assert shell.json("init", "--path", "made.toml") == {
        "file": "made.toml",
        "key_file": str(key_file),
    }
    assert key_file.exists()
    assert f'key_file = "{key_file}"' in (shell.folder / "made.toml").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["wallet", "add", "--merchant", "m", "--family", "evm"],
    ],
)
def test_wrong_use_exits_with_2(office: Shell, arguments: list[str]) -> None:
    assert office.fails(*arguments, code=2) != ""
    assert not (office.folder / "watcher.db").exists()


def test_a_missing_configuration_is_told(shell: Shell) -> None:
    assert "`deposit-watcher init` writes one" in shell.fails("status")
    assert "gone.toml: cannot be read" in shell.fails("--config", "gone.toml", "status")


def test_a_mistake_in_the_configuration_is_named(office: Shell) -> None:
    told = office.fails("status", WATCHER_SERVER__PORT="many")
    assert told == "server.port: must be a whole number"
    tokens = '["DOGE"]'
    told = office.fails("status", WATCHER_NETWORKS__ETHEREUM__ASSETS=tokens)
    assert told.startswith("networks.ethereum.assets: unknown asset 'DOGE'; there are ETH")


@pytest.mark.parametrize(
    "url", ["postgresql://u:SECRET@127.0.0.1:9/x", "sqlite:////nowhere/at/all.db"]
)
def test_a_database_that_is_away_is_told(office: Shell, url: str) -> None:
    assert "database" in office.fails("status", WATCHER_DATABASE__URL=url)


def test_a_file_that_is_no_database_is_told(office: Shell) -> None:
    (office.folder / "watcher.db").write_text("not a database " * 1000)
    assert "database" in office.fails("status")


def test_a_merchant_is_paid_from_the_command_line(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    assert re.fullmatch(r"mer_[0-9A-Z]{26}", merchant)
    wallet = office.does(
        "wallet", "add", "--merchant", merchant, "--family", "evm", "--xpub", ACCOUNT_XPUB
    ).splitlines()
    assert wallet[1].split() == ["0", FIRST]
    fields = ("--amount", "10", "--currency", "USD", "--method", "ethereum:usdt")
    made = json.loads(office.does("invoice", "create", "--merchant", merchant, *fields, "--json"))
    assert (made["quotes"][0]["address"], made["livemode"]) == (FIRST, True)
    assert made["id"] in office.does("invoice", "list", "--merchant", merchant)
    assert office.fails("invoice", "accept", made["id"]).startswith("Everything that was paid")
    assert office.fails("invoice", "accept", made["id"], "--deposit", "dep_none") == (
        "deposits.0: The invoice has no such deposit."
    )
    gone = json.loads(office.does("invoice", "cancel", made["id"], "--json"))
    assert gone["status"] == "cancelled"
    [row] = json.loads(office.does("wallet", "addresses", "--json"))
    assert (row["address"], row["path"], row["index"]) == (FIRST, "0/0", 0)
    assert office.does("wallet", "skip", "--wallet", wallet[0], "--to", "9").endswith("is 9")
    assert office.does("wallet", "skip", "--to", "10").endswith("is 10")


def test_a_logo_is_set_and_removed(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    of_shop = ("merchant", "logo", "--merchant", merchant)
    (office.folder / "logo.png").write_bytes(paint(8, 8))

    assert office.does(*of_shop, "logo.png") == f"{merchant} has a logo now"
    [row] = json.loads(office.does("merchant", "list", "--json"))
    assert row["has_logo"] is True
    assert office.does(*of_shop, "--remove") == f"{merchant} has no logo now"
    [row] = json.loads(office.does("merchant", "list", "--json"))
    assert row["has_logo"] is False
    office.fails(*of_shop, code=2)
    office.fails(*of_shop, "logo.png", "--remove", code=2)


def test_a_merchant_is_the_same_json_wherever_it_is_printed(office: Shell) -> None:
    made = office.json("merchant", "add", "Shop")
    Merchant.model_validate(made)
    assert (made["name"], made["has_logo"]) == ("Shop", False)
    of_shop = ("merchant", "logo", "--merchant", made["id"])
    (office.folder / "logo.png").write_bytes(paint(8, 8))

    assert office.json(*of_shop, "logo.png") == {**made, "has_logo": True}
    assert office.json("merchant", "list") == [{**made, "has_logo": True}]
    assert office.json(*of_shop, "--remove") == made


def test_a_key_is_the_same_json_wherever_it_is_printed(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    scopes = ("--scope", "invoices:write", "--scope", "invoices:read")
    made = office.json("key", "add", "--merchant", merchant, *scopes)
    NewKey.model_validate(made)
    key = {name: made[name] for name in Key.model_fields}
    assert (key["merchant_id"], key["scopes"]) == (merchant, ["invoices:read", "invoices:write"])
    assert office.json("key", "list") == [key]

    revoked = office.json("key", "revoke", made["id"])
    assert revoked["revoked_at"] is not None
    assert {**revoked, "revoked_at": None} == key
    assert office.json("key", "list") == [revoked]
    told = office.fails("key", "revoke", made["id"], "--json")
    assert told == "key: there is no such key that still works"


def test_a_wallet_is_the_same_json_wherever_it_is_printed(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    add = ("wallet", "add", "--merchant", merchant, "--family", "evm")
    made = office.json(*add, "--xpub", ACCOUNT_XPUB)
    NewWallet.model_validate(made)
    wallet = {name: made[name] for name in Wallet.model_fields}
    assert (wallet["merchant_id"], wallet["next_index"], wallet["left"]) == (merchant, 0, None)
    assert made["first_addresses"][0] == FIRST
    (office.folder / "pool.txt").write_text(f"0x{7:040x}\n0x{8:040x}\n")
    pool = office.json(*add, "--addresses", "pool.txt")
    assert (pool["kind"], pool["left"], pool.pop("first_addresses")) == ("pool", 2, [])

    assert office.json("wallet", "skip", "--to", "9") == {**wallet, "next_index": 9}
    assert office.json("wallet", "skip", "--to", "5") == {**wallet, "next_index": 9}
    assert office.json("wallet", "list") == [{**wallet, "next_index": 9}, pool]
    told = office.fails("wallet", "skip", "--wallet", pool["id"], "--to", "1", "--json")
    assert told == "wallet: only a wallet with an xpub has indices"


def test_what_can_be_no_logo_is_told(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    of_shop = ("merchant", "logo", "--merchant", merchant)
    (office.folder / "logo.svg").write_text("<svg/>")
    (office.folder / "big.png").write_bytes(paint(8, 8).ljust(2**20))

    assert office.fails(*of_shop, "logo.svg") == "logo: must be a PNG, JPEG or WebP picture"
    assert office.fails(*of_shop, "big.png") == "logo: must have at most 256 KiB"
    told = office.fails(*of_shop, "gone.png")
    assert told == "logo: gone.png cannot be read: No such file or directory"
    told = office.fails("merchant", "logo", "--merchant", "mer_none", "--remove")
    assert told == "merchant: there is no such merchant"


def test_a_key_is_shown_once_and_revoked(office: Shell) -> None:
    merchant = json.loads(office.does("merchant", "add", "Shop", "--json"))["id"]
    made = json.loads(office.does("key", "add", "--merchant", merchant, "--json"))
    assert (made["key"][:3], made["signing_secret"][:6]) == ("sk_", "whsec_")
    listed = office.does("key", "list", "--json")
    assert made["key"] not in listed
    assert made["key"][-4:] in listed
    office.does("key", "revoke", made["id"])
    assert "no such key that still works" in office.fails("key", "revoke", made["id"])


def test_what_is_not_there_is_told(office: Shell) -> None:
    for arguments in (
        ["key", "add", "--merchant", "mer_none"],
        ["invoice", "show", "inv_none"],
        ["invoice", "accept", "inv_none", "--as-paid"],
        ["wallet", "addresses", "--wallet", "wal_none"],
    ):
        assert "there is no such" in office.fails(*arguments)


def test_a_wrong_field_is_named(office: Shell) -> None:
    fields = ("--merchant", "mer_1", "--amount", "1e5", "--currency", "USD")
    told = office.fails("invoice", "create", *fields)
    assert told == 'price.amount: a price must be plain decimal text such as "49.99"'


def test_a_seed_phrase_is_refused_with_a_warning_and_not_kept(office: Shell) -> None:
    merchant = office.does("merchant", "add", "Shop")
    add = ("wallet", "add", "--merchant", merchant, "--family", "evm")
    told = office.fails(*add, "--xpub", PHRASE)
    assert told.startswith("xpub: this looks like a seed phrase")
    assert "treat this wallet as exposed" in told
    assert PHRASE not in told
    for path in office.folder.glob("watcher.db*"):
        assert PHRASE.encode() not in path.read_bytes()


def test_the_status_is_json_or_a_table(office: Shell) -> None:
    body = json.loads(office.does("status", "--json"))
    assert (body["networks"][0]["network"], body["started_at"]) == ("ethereum", None)
    table = office.does("status")
    assert "ethereum" in table
    assert "invoices: 0 open, 0 delayed; deposits: 0 pending, 0 unmatched" in table


def test_the_doctor_fails_where_no_node_answers(office: Shell) -> None:
    done = office.run("doctor", "--json")
    assert (done.returncode, "SECRET" in done.stdout + done.stderr) == (1, False)
    findings = json.loads(done.stdout)
    assert {"where": "database", "check": "schema", "ok": True}.items() <= findings[0].items()
    wrong = [each for each in findings if each["ok"] is False]
    assert {each["check"] for each in wrong} == {"chain"}
    assert {each["remedy"] for each in wrong} == {
        "check URL and key; it must be of this very network"
    }
    assert findings[0]["remedy"] is None
    failed = f"{len(wrong)} of {len(findings)} checks failed: {wrong[0]['where']} chain"
    assert done.stderr == f"deposit-watcher: {failed}\n"


def test_the_doctor_reads_the_key_file(office: Shell) -> None:
    assert key_finding(office)["ok"] is True
    (office.folder / "watcher.key").write_text("no key\n")
    found = key_finding(office)
    assert (found["ok"], "must hold Fernet keys" in found["detail"]) == (False, True)
    (office.folder / "watcher.key").unlink()
    found = key_finding(office)
    assert (found["ok"], "cannot be read: No such file" in found["detail"]) == (False, True)


def key_finding(office: Shell) -> dict[str, Any]:
    """What the doctor says of the key file."""
    findings: list[dict[str, Any]] = json.loads(office.run("doctor", "--json").stdout)
    [found] = [each for each in findings if each["check"] == "key file"]
    return found


def test_an_old_schema_is_told_and_migrated(office: Shell) -> None:
    told = office.fails("status", WATCHER_DATABASE__MIGRATE="false")
    assert "run `deposit-watcher migrate`" in told
    assert office.does("migrate") == "the database has the newest schema"
    assert office.run("status", WATCHER_DATABASE__MIGRATE="false").returncode == 0


def test_migrating_names_engine_and_schema(office: Shell) -> None:
    done = {"engine": "sqlite", "schema": "head"}
    assert office.json("migrate") == done
    assert office.json("migrate") == done
    assert done.items() <= office.json("status")["database"].items()


def write_on(path: Path, stop: threading.Event, rows: list[int]) -> None:
    """Write merchants, two by two, until told to stop."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as conn:
        while not stop.is_set():
            rows.append(len(rows))
            conn.execute("BEGIN IMMEDIATE")
            for half in "ab":
                id = f"mer_{rows[-1]}{half}"
                row = "INSERT INTO merchants (id, name, last_seq, created_at) VALUES (?, 'x', 0, 0)"
                conn.execute(row, (id,))
            conn.execute("COMMIT")


def test_a_backup_is_whole_while_others_write(office: Shell) -> None:
    office.does("merchant", "add", "Shop")
    stop, rows = threading.Event(), list[int]()
    database, copy = office.folder / "watcher.db", office.folder / "copy.db"
    writer = threading.Thread(target=write_on, args=(database, stop, rows))
    writer.start()
    try:
        office.does("backup", "copy.db")
        assert len(rows) > 0
        assert "copy.db exists; a backup never overwrites" in office.fails("backup", "copy.db")
    finally:
        stop.set()
        writer.join()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = [row[0] for row in conn.execute("SELECT name FROM merchants")]
    assert names.count("Shop") == 1
    assert names.count("x") % 2 == 0  # no transaction is there by half
    assert asyncio.run(state_of(copy)) == "head"
    assert [each.name for each in office.folder.glob(".*")] == []
    for path in office.folder.glob("watcher.db*"):
        path.unlink()
    copy.rename(database)
    assert "Shop" in office.does("merchant", "list")


async def state_of(path: Path) -> str:
    engine = open_engine(f"sqlite:///{path}")
    try:
        return await schema_state(engine)
    finally:
        await close(engine)


def test_a_backup_names_the_files_to_keep(office: Shell) -> None:
    office.does("migrate")
    files = {"file": "copy.db", "key_file": "watcher.key"}  # the latter as the configuration has it
    assert office.json("backup", "copy.db") == files
    assert "a backup never overwrites" in office.fails("backup", "copy.db", "--json")


def test_a_backup_that_cannot_be_made_says_why(office: Shell) -> None:
    assert "there is no database" in office.fails("backup", "copy.db")
    (office.folder / "watcher.db").touch()
    assert "cannot be written: No such file" in office.fails("backup", "gone/copy.db")
    url = "postgresql://u:SECRET@127.0.0.1:9/x"
    told = office.fails("backup", "copy.dump", WATCHER_DATABASE__URL=url)
    assert "pg_dump --format=custom --file=copy.dump postgresql://u@127.0.0.1:9/x" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bitcoin",), "network: bitcoin is not enabled; there are ethereum"),
        (("--dismiss", "fnd_none"), "there is no such finding"),
        (("--accept", "fnd_none"), "there is no such finding"),
    ],
)
def test_an_audit_of_what_there_is_not_is_refused(
    office: Shell, words: tuple[str, ...], said: str
) -> None:
    assert office.fails("audit", *words) == said


def test_an_audit_takes_a_network_or_a_finding(office: Shell) -> None:
    office.fails("audit", "ethereum", "--accept", "fnd_1", code=2)


def test_an_audit_without_a_node_says_so_and_finds_nothing(office: Shell) -> None:
    body = json.loads(office.does("audit", "--json"))
    assert [(run["network"], run["block"], run["addresses"]) for run in body["runs"]] == [
        ("ethereum", None, 0)
    ]
    assert body["findings"] == []
