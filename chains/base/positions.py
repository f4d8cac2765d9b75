"""How positions begin of what no block's hash commits to."""

from __future__ import annotations

TRACE = "trace/"
"""What a contract sent, by traces: on any network."""
INTERNAL = "internal/"
"""What a contract sent on Tron: not every node keeps such calls, nor all of them."""
