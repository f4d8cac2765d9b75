"""Dialects: what a delivery says and how it is signed, what counts as success, when to try again.

One machine brings all of them. There is one so far, our own: Standard Webhooks.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from watcher.keys import signing_key

LADDER = (5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400)
"""Seconds from each failed try to the next; after the last rung a delivery is dead."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of receiver is spoken to."""

    sign: Callable[[Sequence[str], str, int, bytes], Mapping[str, str]]
    """Headers from the secrets that hold now, newest first, the event's id, the time and body."""
    accepts: Callable[[int], bool]
    """Whether this HTTP status is success."""
    ladder: Sequence[int]


def sign_standard(
    secrets: Sequence[str], event_id: str, now: int, body: bytes
) -> Mapping[str, str]:
    """The headers of Standard Webhooks, https://www.standardwebhooks.com: a signature by secret."""
    signed = b"%s.%d.%s" % (event_id.encode(), now, body)
    digests = [hmac.digest(signing_key(secret), signed, "sha256") for secret in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(
            f"v1,{base64.b64encode(digest).decode()}" for digest in digests
        ),
    }


DIALECTS: Mapping[str, Dialect] = {
    "native": Dialect(sign_standard, lambda status: 200 <= status < 300, LADDER)
}
