"""API keys, signing secrets, and the box that seals them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path
from typing import Literal

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from watcher.config import ConfigError
from watcher.keys import (
    CannotOpen,
    SecretBox,
    digest,
    hint,
    load_box,
    new_key,
    new_signing_secret,
    signing_key,
)


def make_key() -> str:
    return Fernet.generate_key().decode()


def make_key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "watcher.key"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("kind", ["sk", "pk"])
def test_a_key_shows_its_kind_and_is_never_the_same(kind: Literal["sk", "pk"]) -> None:
    keys = {new_key(kind) for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(rf"{kind}_[A-Za-z0-9_-]{{43}}", key) for key in keys)


def test_a_digest_is_sha256_of_the_whole_key() -> None:
    assert digest("sk_abc") == hashlib.sha256(b"sk_abc").digest()
    assert digest("sk_abc") != digest("pk_abc")


def test_a_hint_is_the_end_of_the_key() -> None:
    assert hint("sk_0123456789") == "6789"


def test_a_signing_secret_signs_as_standard_webhooks_says() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    signature = base64.b64encode(hmac.digest(signing_key(secret), signed, "sha256"))
    assert signature == b"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_new_signing_secret_has_32_random_bytes() -> None:
    first, second = new_signing_secret(), new_signing_secret()
    assert first != second
    assert len(signing_key(first)) == 32


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", id="no prefix"),
        pytest.param("whsec_" + base64.b64encode(bytes(23)).decode(), id="23 bytes"),
        pytest.param("whsec_" + base64.b64encode(bytes(65)).decode(), id="65 bytes"),
        pytest.param("whsec_!" + base64.b64encode(bytes(32)).decode(), id="not base64"),
        pytest.param("whsec_é", id="not ASCII"),
        pytest.param("", id="nothing"),
    ],
)
def test_an_odd_signing_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as error:
        signing_key(secret)
    assert not secret or secret not in str(error.value)


def test_a_box_opens_what_it_sealed() -> None:
    box = SecretBox([make_key()])
    sealed = box.seal("whsec_é")
    assert b"whsec" not in sealed
    assert box.open(sealed) == "whsec_é"


def test_a_rotated_box_opens_old_secrets_and_seals_with_the_new_key() -> None:
    old, new = make_key(), make_key()
    rotated = SecretBox([new, old])
    assert rotated.open(SecretBox([old]).seal("secret")) == "secret"
    assert SecretBox([new]).open(rotated.seal("secret")) == "secret"


def test_a_box_without_the_right_key_does_not_open() -> None:
    with pytest.raises(CannotOpen):
        SecretBox([make_key()]).open(SecretBox([make_key()]).seal("secret"))


def test_an_altered_secret_does_not_open() -> None:
    box = SecretBox([make_key()])
    sealed = bytearray(box.seal("secret"))
    sealed[30] ^= 1
    with pytest.raises(CannotOpen):
        box.open(bytes(sealed))


def test_a_key_file_may_have_comments_and_several_keys(tmp_path: Path) -> None:
    old, new = make_key(), make_key()
    box = load_box(make_key_file(tmp_path, f"# newest first\n{new}  # 2026\n\n{old}\n"))
    assert box.open(SecretBox([old]).seal("secret")) == "secret"
    assert SecretBox([new]).open(box.seal("secret")) == "secret"


A_KEY = base64.urlsafe_b64encode(bytes(32)).decode()  # the same in every test process


@pytest.mark.parametrize("text", ["", "# none\n", "SECRET\n", f"{A_KEY}\nSECRET\n", "é\n"])
def test_a_malformed_key_file_is_named_and_not_repeated(text: str, tmp_path: Path) -> None:
    path = make_key_file(tmp_path, text)
    with pytest.raises(ConfigError, match=r"^secrets\.key_file: .*Fernet keys") as error:
        load_box(path)
    assert str(path) in str(error.value)
    assert "SECRET" not in str(error.value)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"secrets\.key_file: .*gone cannot be read: No such"):
        load_box(tmp_path / "gone")


@pytest.mark.parametrize(
    ("mode", "warned"),
    [(0o600, False), (0o400, False), (0o640, False), (0o644, True), (0o620, True)],
)
def test_a_key_file_that_others_may_use_gives_a_warning(
    mode: int, warned: bool, tmp_path: Path
) -> None:
    path = make_key_file(tmp_path, make_key(), mode)
    with capture_logs() as logs:
        load_box(path)
    assert [line["event"] for line in logs] == ["key_file_too_open"] * warned
