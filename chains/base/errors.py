"""How a client may fail, by what to do then.

ChainError            all that a client may raise
├─ ChainUnavailable   no usable answer now (timeout, 5xx): wait, try again or elsewhere
│  ├─ RateLimited     it was asked too often (429): the same, and more slowly
│  └─ EndpointRefused this endpoint will never answer this (401, 403, unknown method): elsewhere
└─ ChainDataError     an answer that contradicts itself or its proof: quarantine, never store
   └─ WrongChain      the endpoint follows another chain than configured
"""

from __future__ import annotations


class ChainError(Exception):
    """What a client raises. The text never contains a URL, a key or a token."""


class ChainUnavailable(ChainError):
    """No usable answer now; the same call may work later or elsewhere."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the node asked us to wait, if it said so."""


class RateLimited(ChainUnavailable):
    """This endpoint was asked more often than it allows."""


class EndpointRefused(ChainUnavailable):
    """This endpoint does not serve this call to us: a matter of its plan or our key."""


class ChainDataError(ChainError):
    """An answer that contradicts itself or its proof."""


class WrongChain(ChainDataError):
    """The endpoint follows another chain."""
