"""The wall clock and fresh ids: what the domain takes as arguments comes from here."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

from watcher.domain.ids import make_id


def now() -> int:
    """Epoch seconds."""
    return int(time.time())


def new_id(prefix: str) -> str:
    """An unguessable id that sorts by the time it was made."""
    return make_id(prefix, time.time_ns() // 1_000_000, secrets.token_bytes(10))


def rfc3339(seconds: int) -> str:
    """Epoch seconds as UTC text: 0 -> "1970-01-01T00:00:00Z"."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
