"""Merchants and their API keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import storage
from storage import Conn
from storage.keys import Key
from storage.merchants import Merchant
from watcher.clock import new_id, rfc3339
from watcher.keys import SecretBox, digest, hint, new_key, new_signing_secret
from watcher.refused import BadField, NotFound
from watcher.render import Json

SCOPES = (
    "invoices:read",
    "invoices:write",
    "deposits:read",
    "events:read",
    "webhooks:write",
    "wallets:write",
)
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. Its text and signing secret exist here only."""

    key: Key
    text: str
    signing_secret: str


async def add_merchant(conn: Conn, name: str, now: int) -> Merchant:
    """Add a merchant.

    Raises:
        BadField: no name, or one too long.
    """
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadField(f"must have from 1 to {LONGEST_NAME} characters", field="name")
    merchant = Merchant(new_id("mer"), name, now)
    await storage.merchants.add(conn, merchant)
    return merchant


async def find_merchant(conn: Conn, merchant_id: str) -> Merchant:
    """The merchant with this id; raises NotFound."""
    merchant = await storage.merchants.get(conn, merchant_id)
    if merchant is None:
        raise NotFound("there is no such merchant", field="merchant")
    return merchant


async def add_key(
    conn: Conn,
    box: SecretBox,
    merchant_id: str,
    public: bool,
    scopes: Sequence[str] | None,
    now: int,
) -> NewKey:
    """Make a key. Only the digest of its text is kept; its signing secret is kept sealed.

    Raises:
        NotFound: no such merchant.
        BadField: an unknown scope, or scopes for a public key, whose rights are fixed.
    """
    await find_merchant(conn, merchant_id)
    if unknown := set(scopes or ()) - set(SCOPES):
        raise BadField(
            f"unknown {', '.join(sorted(unknown))}; there are {', '.join(SCOPES)}", field="scopes"
        )
    if public and scopes:
        raise BadField("a public key has no scopes: it creates and shows invoices", field="scopes")
    text, secret = new_key("pk" if public else "sk"), new_signing_secret()
    key = Key(
        id=new_id("key"),
        merchant_id=merchant_id,
        kind="public" if public else "secret",
        hint=hint(text),
        scopes=frozenset() if public else frozenset(scopes or SCOPES),
        created_at=now,
        revoked_at=None,
    )
    await storage.keys.add(conn, key, digest(text), box.seal(secret))
    return NewKey(key, text, secret)


async def revoke_key(conn: Conn, key_id: str, now: int) -> Key:
    """Stop a key from working; return it as it is then.

    Raises:
        NotFound: no such key that still works.
    """
    revoked = await storage.keys.revoke(conn, key_id, now)
    if revoked is None:
        raise NotFound("there is no such key that still works", field="key")
    return revoked


def render_merchant(merchant: Merchant) -> Json:
    """A merchant, as the operator sees him."""
    return {
        "id": merchant.id,
        "object": "merchant",
        "name": merchant.name,
        "has_logo": merchant.has_logo,
        "created_at": rfc3339(merchant.created_at),
    }


def render_key(key: Key) -> Json:
    """A key without its text."""
    return {
        "id": key.id,
        "object": "key",
        "merchant_id": key.merchant_id,
        "kind": key.kind,
        "hint": key.hint,
        "scopes": sorted(key.scopes),
        "created_at": rfc3339(key.created_at),
        "revoked_at": None if key.revoked_at is None else rfc3339(key.revoked_at),
    }


def render_new_key(made: NewKey) -> Json:
    """The same with its secrets, which are shown this once."""
    return {**render_key(made.key), "key": made.text, "signing_secret": made.signing_secret}
