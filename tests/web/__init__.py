"""Pages: asked over a socket, and looked at in a real browser."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.web.browser")  # say what a page complained about
