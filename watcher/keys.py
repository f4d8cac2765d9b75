"""API keys, webhook signing secrets, and the key file that seals what must be recoverable."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from watcher.config import ConfigError

KEY_BYTES = 32
SIGNING_PREFIX = "whsec_"
SIGNING_BYTES = range(24, 65)  # what Standard Webhooks allows
READABLE_OR_WRITABLE_BY_OTHERS = stat.S_IRWXO | stat.S_IWGRP

log = structlog.get_logger(__name__)


def new_key(kind: Literal["sk", "pk"]) -> str:
    """A fresh API key: `sk_` or `pk_` and 43 url-safe characters, 256 random bits."""
    return f"{kind}_{secrets.token_urlsafe(KEY_BYTES)}"


def digest(key: str) -> bytes:
    """What is stored of an API key: 32 bytes that do not lead back to it.

    One round of SHA-256 without salt: slow hashes protect texts that can be guessed, and 256
    random bits cannot. Being fast and the same each time, it is the index to look a key up by.
    """
    return hashlib.sha256(key.encode()).digest()


def hint(key: str) -> str:
    """The last four characters, by which its owner knows it again."""
    return key[-4:]


def new_signing_secret() -> str:
    """A fresh secret for Standard Webhooks: `whsec_` and the base64 of 32 random bytes."""
    return SIGNING_PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def signing_key(secret: str) -> bytes:
    """The bytes to sign with; raises ValueError unless they are 24 to 64 behind `whsec_`."""
    text = secret.removeprefix(SIGNING_PREFIX)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # from None: the cause's frame holds the secret
        key = b""
    if text == secret or len(key) not in SIGNING_BYTES:
        raise ValueError("a signing secret is whsec_ and the base64 of 24 to 64 bytes")
    return key


class CannotOpen(Exception):
    """Sealed with a key that is not in the key file, or altered since."""


class SecretBox:
    """Seals texts with the first of its keys and opens what any of them sealed."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take Fernet keys, newest first; raises ValueError when none is given or one is odd."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> bytes:
        """Encrypt and authenticate."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """The sealed text; raises CannotOpen."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise CannotOpen("no key in the key file opens this secret") from error

    def __repr__(self) -> str:
        return "SecretBox()"


def load_box(path: Path) -> SecretBox:
    """Read the key file: one Fernet key per line, newest first; `#` begins a comment.

    Raises:
        ConfigError: the file is missing or cannot be read, or a line of it is not a key.
    """
    try:
        mode = path.stat().st_mode
        lines = path.read_text("ascii").splitlines()
    except OSError as error:
        raise ConfigError(f"secrets.key_file: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"secrets.key_file: {path} does not hold Fernet keys") from None
    keys = [key for line in lines if (key := line.partition("#")[0].strip())]
    try:
        box = SecretBox(keys)
    except ValueError:
        raise ConfigError(
            f"secrets.key_file: {path} must hold Fernet keys, one per line, as `init` makes one"
        ) from None
    if mode & READABLE_OR_WRITABLE_BY_OTHERS:  # a group may read: systemd's credentials look so
        log.warning("key_file_too_open", path=str(path), mode=stat.filemode(mode))
    return box
