"""The shop of the API's tests, whose pages these are."""

from __future__ import annotations

from tests.api.conftest import shop as shop
