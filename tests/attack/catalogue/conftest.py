"""No story of the catalogue waits, and each has SQLite's books unless it asks for both engines."""

from __future__ import annotations

import pytest

from chains import health as endpoint_health
from watcher import finality


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is final is asked at once, and a refused answer elsewhere."""
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(endpoint_health, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(endpoint_health, "BACKOFF_CAP", 0.02)


@pytest.fixture
def db_url(request: pytest.FixtureRequest) -> str:
    """A fresh migrated database of the engine that the test names."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url
