"""Addresses' public keys from an account's xpub (BIP-32), without any private key.

An account key (depth 3, m/purpose'/coin'/account') gives its addresses at 0/i, a chain key (depth
4) at i. Both are brought to the chain, so one wallet has one fingerprint however it was written.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

import base58
from coincurve import PublicKey

XPUB = bytes.fromhex("0488b21e")
ACCOUNT_DEPTH, CHAIN_DEPTH = 3, 4
HARDENED = 1 << 31
LONGEST_TEXT = 120

EXPOSED = (
    "it was refused and is not kept; this program never needs it, and no program but your wallet"
    " should see it: treat this wallet as exposed and move its money to a new one"
)

_FOREIGN = {  # SLIP-132
    "043587cf": "tpub",
    "049d7cb2": "ypub",
    "04b24746": "zpub",
    "0295b43f": "Ypub",
    "02aa7ed3": "Zpub",
    "044a5262": "upub",
    "045f1cf6": "vpub",
    "024289ef": "Upub",
    "02575483": "Vpub",
}
_PRIVATE_TEXT = re.compile(r"[xtyzuvYZUV]prv[1-9A-Za-z]*|(0x)?[0-9a-fA-F]{64}")
_WORDS = re.compile(r"[a-z]+(\s+[a-z]+)*")
_WORD_COUNTS = {12, 15, 18, 21, 24}
_WIF_VERSIONS = {0x80, 0xEF}


@dataclass(frozen=True, slots=True)
class Account:
    """The public half of a wallet's chain of addresses."""

    chain_code: bytes
    key: bytes
    """Compressed, 33 bytes; its children are the addresses' keys."""
    prefix: str
    """From the key that the owner gave to this one: "0/", or nothing where they are the same."""


def parse_account(text: str) -> Account:
    """Read the xpub of an account or a chain.

    Raises:
        ValueError: anything else, saying what it seems to be; never with a part of it.
    """
    text = text.strip()
    if _is_seed_phrase(text):
        raise ValueError(f"this looks like a seed phrase: {EXPOSED}")
    if _PRIVATE_TEXT.fullmatch(text):
        raise ValueError(f"this looks like a private key: {EXPOSED}")
    raw = _decode(text)
    if _is_private(raw):
        raise ValueError(f"this looks like a private key: {EXPOSED}")
    if len(raw) != 78:
        raise ValueError("not an extended public key: an xpub is 111 characters long")
    if foreign := _FOREIGN.get(raw[:4].hex()):
        raise ValueError(f"this is a {foreign}, of another coin or script: export an xpub (BIP-44)")
    if raw[:4] != XPUB:
        raise ValueError("not an xpub: its version bytes are unknown")
    return _at_chain(raw)


def _is_seed_phrase(text: str) -> bool:
    return bool(_WORDS.fullmatch(text.lower())) and len(text.split()) in _WORD_COUNTS


def _decode(text: str) -> bytes:
    try:
        # Decoding takes the square of the length, and a stranger may have sent the text.
        return base58.b58decode_check(text[:LONGEST_TEXT])
    except ValueError:  # from None: the cause may repeat the text
        raise ValueError(
            "not an xpub: a character is wrong or missing, since its checksum does not match"
        ) from None


def _is_private(raw: bytes) -> bool:
    """Whether it is a WIF key, or an extended key of any version whose key is a secret number."""
    if len(raw) in (33, 34):
        return raw[0] in _WIF_VERSIONS
    return len(raw) == 78 and raw[45] == 0


def _at_chain(raw: bytes) -> Account:
    depth, chain_code, key = raw[4], raw[13:45], raw[45:]
    try:
        PublicKey(key)
    except ValueError:
        raise ValueError("not an xpub: its key is not a point of the curve") from None
    if depth == CHAIN_DEPTH:
        return Account(chain_code, key, "")
    if depth == ACCOUNT_DEPTH:
        child_code, child = _child(chain_code, key, 0)
        return Account(child_code, child.format(), "0/")
    raise ValueError(
        f"this xpub is at depth {depth}: give the account's, such as m/44'/60'/0' (depth 3),"
        " or its chain's (depth 4)"
    )


def derive(account: Account, index: int) -> bytes:
    """The public key of address `index`: 64 bytes, x and y.

    Raises:
        ValueError: an index below 0, or from 2**31, where the private key would be needed.
    """
    if not 0 <= index < HARDENED:
        raise ValueError("an address has an index from 0 to 2147483647")
    return _child(account.chain_code, account.key, index)[1].format(compressed=False)[1:]


def _child(chain_code: bytes, key: bytes, index: int) -> tuple[bytes, PublicKey]:
    """BIP-32's CKDpub: the child's chain code and key.

    `add` raises ValueError where BIP-32 says to skip the index; nobody has ever seen that.
    """
    digest = hmac.digest(chain_code, key + index.to_bytes(4, "big"), "sha512")
    return digest[32:], PublicKey(key).add(digest[:32])


def fingerprint(text: str) -> str:
    """What stays the same however a wallet's xpub is written: two that match share addresses."""
    account = parse_account(text)
    return hashlib.sha256(account.chain_code + account.key).hexdigest()


def path(account: Account, index: int) -> str:
    """Where address `index` is, seen from the key that the owner gave: "0/7" or "7".

    What lies above (m/44'/60'/0') is not written in an xpub.
    """
    return f"{account.prefix}{index}"
