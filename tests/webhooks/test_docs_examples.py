"""docs/webhooks.md and docs/events.md: the code runs, the examples are what the program says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from storage import close, open_engine
from tests.webhooks.catalogue import PAGE, write_page
from watcher.keys import new_signing_secret
from watcher.webhooks.dialects import LADDER, sign_standard

WEBHOOKS = PAGE.with_name("webhooks.md").read_text()
BODY = '{"id":"evt_1","data":{"name":"Сорочка"}}'.encode()

DRIVERS = {  # how each language runs its example on what standard input brings
    "python": (
        [sys.executable],
        "example.py",
        """
import sys
given = json.load(sys.stdin)
print(json.dumps(verify(given["secret"], given["headers"], given["body"].encode())))
""",
    ),
    "js": (
        ["node"],
        "example.cjs",
        """
const given = JSON.parse(require("node:fs").readFileSync(0));
console.log(JSON.stringify(verify(given.secret, given.headers, Buffer.from(given.body))));
""",
    ),
}


@pytest.fixture(params=DRIVERS)
def language(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def verify(folder: Path, language: str, secret: str, headers: Any, body: bytes) -> Any:
    """What the documented function gives; None where it refuses."""
    command, name, driver = DRIVERS[language]
    [code] = re.findall(rf"```{language}\n(.*?)```", WEBHOOKS, re.DOTALL)
    path = folder / name
    path.write_text(code + driver)
    given = json.dumps({"secret": secret, "headers": headers, "body": body.decode()})
    done = subprocess.run(
        [*command, str(path)], input=given, capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode:
        assert "wrong signature" in done.stderr or "too old" in done.stderr, done.stderr
        return None
    return json.loads(done.stdout)


def test_a_true_delivery_is_believed(language: str, tmp_path: Path) -> None:
    secret, now = new_signing_secret(), int(time.time())
    headers = dict(sign_standard([secret], "evt_1", now, BODY))
    assert verify(tmp_path, language, secret, headers, BODY) == json.loads(BODY)


def test_during_a_rotation_either_secret_is_enough(language: str, tmp_path: Path) -> None:
    new, old = new_signing_secret(), new_signing_secret()
    headers = dict(sign_standard([new, old], "evt_1", int(time.time()), BODY))
    for secret in (new, old):
        assert verify(tmp_path, language, secret, headers, BODY) == json.loads(BODY)


@pytest.mark.parametrize("what", ["body", "id", "secret", "time", "old", "nothing"])
def test_what_was_altered_or_is_old_is_refused(language: str, tmp_path: Path, what: str) -> None:
    secret, now = new_signing_secret(), int(time.time())
    signed_at = now - 400 if what == "old" else now
    headers, body = dict(sign_standard([secret], "evt_1", signed_at, BODY)), BODY
    match what:
        case "body":
            body = BODY.replace(b"evt_1", b"evt_2")
        case "id":
            headers["webhook-id"] = "evt_2"
        case "secret":
            secret = new_signing_secret()
        case "time":
            headers["webhook-timestamp"] = str(now - 1)
        case "nothing":
            headers["webhook-signature"] = "v1,"
    assert verify(tmp_path, language, secret, headers, body) is None


def test_the_documented_ladder_is_ours() -> None:
    words = "5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 3 h, 6 h, 12 h and 24 h"
    assert words in WEBHOOKS
    seconds = {"s": 1, "min": 60, "h": 3600}
    rungs = [int(n) * seconds[unit] for n, unit in re.findall(r"(\d+) (s|min|h)\b", words)]
    assert tuple(rungs) == LADDER


async def test_the_examples_of_events_are_what_a_run_makes(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    page = await write_page(engine)
    await close(engine)
    assert PAGE.read_text() == page, "run `python -m tests.webhooks.catalogue`"
