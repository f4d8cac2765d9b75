"""The compatible faces: other systems' invoice APIs, over our own use cases."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web

from watcher.api.compat import billium, bitgpt, kuna, payhubix, txcash
from watcher.api.compat.face import Face
from watcher.api.errors import ENVELOPES

_ALL = (billium.FACE, kuna.FACE, txcash.FACE, payhubix.FACE, bitgpt.FACE)
FACES: dict[str, Face] = {each.name: each for each in _ALL}


def mount(app: web.Application, enabled: Collection[str] | None) -> None:
    """Serve these faces; None: all."""
    faces = [each for name, each in FACES.items() if enabled is None or name in enabled]
    app[ENVELOPES] = {f"{each.root}/": each.envelope() for each in faces}
    for face in faces:
        app.add_routes(face.mounted())
