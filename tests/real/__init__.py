"""Stories against a real EVM node, a real database and, in some, the daemon's own process."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.real.kills", "tests.real.shop")  # say what differs
