"""The false deposits of chains.md 6, each carried out on a node; `docs/attacks.md` lists them."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.attack.catalogue.stage")  # say what differs
