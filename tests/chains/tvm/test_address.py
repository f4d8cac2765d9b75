"""Tron addresses: base58check text outside, 20 bytes inside."""

from __future__ import annotations

import base58
import pytest
from coincurve import PrivateKey

from chains.tron import TRON
from chains.tvm.address import CODEC, raw, text
from watcher.domain.money import Address

KNOWN = {  # chains.md 4.5
    "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t": "a614f803b6fd780986a42c78ec9c7f77e6ded13c",
    "TXDk8mbtRbXeYuMNS83CfKPaYYT8XWv9Hz": "e91a7411e56ce79e83570570f49b9fc35b7727c5",
    "TPFqcBAaaUMCSVRCqPaQ9QnzKhmuoLR6Rc": "91bed8e784249c91611e61c4585c40e21fd0ace2",
    "TEkxiTehnzSmSe2XqrBj4w32RUN966rdz8": "3487b63d30b5b2c87fb7ffa8bcfade38eaac1abe",
    "TNUC9Qb1rRpS5CbWLmNMxXBjyFoydXjWFR": "891cdb91d149f23b1a45d9c5ca78a88d0cb44c18",
}
USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"


@pytest.mark.parametrize(("shown", "content"), KNOWN.items())
def test_an_address_is_its_20_bytes(shown: str, content: str) -> None:
    assert CODEC.parse(shown) == CODEC.show(Address(shown)) == shown
    assert raw(Address(shown)).hex() == content
    assert text(bytes.fromhex(content)) == shown


def test_the_listed_tokens_are_the_known_ones() -> None:
    assert {asset.contract for asset in TRON.assets[1:]} == set(KNOWN)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (USDT[:-1] + "u", "bad checksum"),
        (USDT[:5] + USDT[6] + USDT[5] + USDT[7:], "bad checksum"),
        (USDT.lower(), "an address is T"),
        (f" {USDT}", "an address is T"),
        (USDT + "\n", "an address is T"),
        ("41" + KNOWN[USDT], "an address is T"),
        ("0x" + KNOWN[USDT], "an address is T"),
        ("", "an address is T"),
        ("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "an address is T"),
        ("T" + "0" * 33, "an address is T"),
    ],
)
def test_what_is_no_address_is_refused(wrong: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        CODEC.parse(wrong)


def test_text_with_a_good_checksum_may_still_be_another_chains_address() -> None:
    stranger = base58.b58encode_check(b"\x42" + bytes(20)).decode()
    assert stranger.startswith("T")
    with pytest.raises(ValueError, match="not an address of Tron"):
        CODEC.parse(stranger)


def test_the_address_of_a_key() -> None:
    key = PrivateKey(b"\x00" * 31 + b"\x01").public_key.format(compressed=False)[1:]
    # The 20 bytes that the same key has on Ethereum.
    assert CODEC.of_key(key) == text(bytes.fromhex("7e5f4552091a69125d5dfcb7b8c2659029395bdf"))


@pytest.mark.parametrize("size", [0, 33, 63, 65])
def test_a_key_is_64_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        CODEC.of_key(bytes(size))


def test_a_wallet_opens_the_bare_address() -> None:
    to = Address(USDT)
    assert {TRON.payment_uri(asset, to, 5, 1) for asset in TRON.assets} == {USDT}
