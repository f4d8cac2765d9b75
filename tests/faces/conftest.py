"""A shop that is open, on each engine in turn."""

from __future__ import annotations

from tests.api.conftest import shop as shop
