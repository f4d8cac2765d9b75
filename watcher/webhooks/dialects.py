"""Every dialect by name: our own, and that of each compatible face. One machine brings them all."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.faces import billium_events, bitgpt_events, callbacks, kuna
from watcher.webhooks.dialect import LADDER as LADDER
from watcher.webhooks.dialect import NATIVE, Dialect
from watcher.webhooks.dialect import sign_standard as sign_standard

DIALECTS: Mapping[str, Dialect] = {
    "native": NATIVE,
    "billium": billium_events.DIALECT,
    "kuna": kuna.DIALECT,
    "txcash": callbacks.TXCASH,
    "payhubix": callbacks.PAYHUBIX,
    "bitgpt": bitgpt_events.DIALECT,
}
