"""Merchants' logos: small pictures of a known kind. No SVG, which may hold a script."""

from __future__ import annotations

import storage
from storage import Conn
from watcher.refused import BadField, NotFound

LARGEST_LOGO = 256 * 1024  # bytes


async def set_logo(conn: Conn, merchant_id: str, logo: bytes | None) -> None:
    """Show this picture to the merchant's payers; None: no picture.

    Raises:
        BadField: the picture is too large, or of no kind that we show.
        NotFound: no such merchant.
    """
    if logo is not None:
        if len(logo) > LARGEST_LOGO:
            raise BadField(f"must have at most {LARGEST_LOGO // 1024} KiB", field="logo")
        if content_type_of(logo) is None:
            raise BadField("must be a PNG, JPEG or WebP picture", field="logo")
    if not await storage.merchants.set_logo(conn, merchant_id, logo):
        raise NotFound("there is no such merchant", field="merchant")


def content_type_of(picture: bytes) -> str | None:
    """What its first bytes say that it is; None: nothing that we show."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return None
