"""Recorded chain data, read where it lies and never copied into the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parent.parent.parent / "shared" / "realdata"


def realdata(*parts: str) -> Path:
    """A path in the recorded data: at $REALDATA, or beside the repository.

    Where the data are absent the test, or the module that asks while it is imported, is skipped
    with the reason; with CI set it fails instead.
    """
    root = Path(os.environ.get("REALDATA") or _BESIDE)
    if not root.is_dir():
        reason = "no recorded chain data: set REALDATA to where they are"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)
    return root.joinpath(*parts)
