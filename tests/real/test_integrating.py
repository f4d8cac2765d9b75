"""docs/integrating.md: every example runs as it stands against a sandbox."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.process import ROOT
from tests.real.test_sandbox import Sandbox

PAGE = (ROOT / "docs" / "integrating.md").read_text()
SECONDS = 60


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The shop's sandbox."""
    sandbox = Sandbox(tmp_path_factory.mktemp("integrating"))
    sandbox.start()
    yield sandbox
    assert sandbox.stop() == 0


def examples(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return blocks


def environment(sandbox: Sandbox) -> dict[str, str]:
    """What the page's first block sets, for this sandbox."""
    return {**os.environ, "API": sandbox.url, "KEY": sandbox.key}


def test_the_examples_with_curl_open_and_show_an_invoice(sandbox: Sandbox, tmp_path: Path) -> None:
    _, opening, showing = examples("sh")
    done = subprocess.run(
        ["bash", "-ec", opening + showing],
        env=environment(sandbox),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    id, shown = done.stdout.split("\n", 1)
    invoice = json.loads(shown)
    assert (invoice["id"], invoice["external_id"]) == (id, "8821")
    assert invoice["quotes"][0]["address"]


@pytest.mark.parametrize(
    ("language", "command", "suffix"),
    [("python", [sys.executable], "py"), ("js", ["node"], "cjs")],
)
def test_a_program_opens_an_invoice_and_learns_that_it_is_paid(
    sandbox: Sandbox, tmp_path: Path, language: str, command: list[str], suffix: str
) -> None:
    [code] = examples(language)
    program = tmp_path / f"shop.{suffix}"
    program.write_text(code)
    with subprocess.Popen(
        [*command, str(program)], env=environment(sandbox), stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            id = running.stdout.readline().split()[0]
            sandbox.order("pay", id)
            said, _ = running.communicate(timeout=SECONDS)
        finally:
            running.kill()
    assert running.returncode == 0
    assert said.split()[-1] == "invoice.paid"
    assert "invoice.confirming" in said
