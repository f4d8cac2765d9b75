"""Public derivation, compared with another implementation, and everything that it must refuse."""

from __future__ import annotations

import random

import base58
import pytest
from bip32 import BIP32
from coincurve import PublicKey
from eth_account import Account as EthAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from watcher.derivation import Account, derive, fingerprint, parse_account, path

PHRASE = "test test test test test test test test test test test junk"  # everybody's test wallet
ACCOUNT_XPUB = (
    "xpub6Ce9NcJvTk36xtLSrJLZqE7wtgA5deCeYs7rSQtreh4cj6ByPtrg9sD7V2FNFLPnf8heNP3FGkeV9qwfzvZNS"
    "d54JoNXVsXFYSYwHsnJxqP"
)
VECTOR_PARENT = (  # BIP-32, test vector 2: m/0/2147483647' and m/0/2147483647'/1
    "xpub6ASAVgeehLbnwdqV6UKMHVzgqAG8Gr6riv3Fxxpj8ksbH9ebxaEyBLZ85ySDhKiLDBrQSARLq1uNRts8RuJiH"
    "jaDMBU4Zn9h8LZNnBC5y4a"
)
VECTOR_CHILD = (
    "xpub6DF8uhdarytz3FWdA8TvFSvvAh8dP3283MY7p2V4SeE2wyWmG5mg5EwVvmdMVCQcoNJxGoWaU9DCWh89LojfZ"
    "537wTfunKau47EL2dhHKon"
)


def make_xpub(
    seed: int = 0, derivation: str = "m/44'/60'/0'", version: str = "0488b21e", *, key: bytes = b""
) -> str:
    wallet = BIP32.from_seed(random.Random(seed).randbytes(64))
    raw = bytearray(base58.b58decode_check(wallet.get_xpub_from_path(derivation)))
    raw[:4] = bytes.fromhex(version)
    raw[45:] = key or raw[45:]
    return base58.b58encode_check(bytes(raw)).decode()


def make_xprv(derivation: str = "m/44'/60'/0'", version: str = "0488ade4") -> str:
    raw = base58.b58decode_check(BIP32.from_seed(bytes(64)).get_xpriv_from_path(derivation))
    return base58.b58encode_check(bytes.fromhex(version) + raw[4:]).decode()


def ethereum_address(account: Account, index: int) -> str:
    return to_checksum_address(keccak(derive(account, index))[-20:])


@pytest.mark.parametrize("seed", range(10))
def test_keys_equal_those_of_another_implementation(seed: int) -> None:
    chance = random.Random(seed)
    wallet = BIP32.from_seed(chance.randbytes(64))
    account = parse_account(wallet.get_xpub_from_path("m/44'/195'/3'"))
    for index in [0, 1, 2**31 - 1, *(chance.randrange(2**31) for _ in range(20))]:
        expected = wallet.get_pubkey_from_path(f"m/44'/195'/3'/0/{index}")
        assert derive(account, index) == PublicKey(expected).format(compressed=False)[1:]


def test_a_known_wallet_has_its_known_addresses() -> None:
    EthAccount.enable_unaudited_hdwallet_features()
    account = parse_account(ACCOUNT_XPUB)
    assert ethereum_address(account, 0) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    for index in range(5):
        owner = EthAccount.from_mnemonic(PHRASE, account_path=f"m/44'/60'/0'/0/{index}")
        assert ethereum_address(account, index) == owner.address


def test_a_vector_of_the_standard_derives_as_printed() -> None:
    parent, child = (base58.b58decode_check(text) for text in (VECTOR_PARENT, VECTOR_CHILD))
    key = derive(Account(parent[13:45], parent[45:], ""), 1)
    assert key == PublicKey(child[45:]).format(compressed=False)[1:]


def test_an_account_and_its_chain_are_the_same_wallet() -> None:
    account, chain = make_xpub(), make_xpub(derivation="m/44'/60'/0'/0")
    assert account != chain
    assert fingerprint(account) == fingerprint(chain)
    assert derive(parse_account(account), 7) == derive(parse_account(chain), 7)


def test_a_fingerprint_ignores_what_does_not_change_addresses() -> None:
    raw = bytearray(base58.b58decode_check(ACCOUNT_XPUB))
    raw[5:13] = bytes(8)  # the parent's mark and the child number
    respelled = base58.b58encode_check(bytes(raw)).decode()
    assert fingerprint(f"  {respelled}\n") == fingerprint(ACCOUNT_XPUB)


@pytest.mark.parametrize(
    "other", [make_xpub(1), make_xpub(0, "m/44'/60'/1'"), make_xpub(0, "m/44'/60'/0'/1")]
)
def test_another_wallet_has_another_fingerprint(other: str) -> None:
    assert fingerprint(other) != fingerprint(make_xpub(0))


def test_a_path_starts_at_the_key_that_the_owner_gave() -> None:
    assert path(parse_account(make_xpub()), 7) == "0/7"
    assert path(parse_account(make_xpub(derivation="m/44'/60'/0'/0")), 7) == "7"


@pytest.mark.parametrize("index", [-1, 2**31, 2**32])
def test_an_index_that_needs_the_private_key_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 2147483647"):
        derive(parse_account(ACCOUNT_XPUB), index)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(make_xprv(), id="xprv"),
        pytest.param(make_xprv(version="04b2430c"), id="zprv"),
        pytest.param(make_xprv(version="deadbeef"), id="a version nobody knows"),
        pytest.param(make_xprv("m"), id="the master's"),
        pytest.param(make_xprv()[:-1] + "1", id="xprv with a typing error"),
        pytest.param("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318", id="hex"),
        pytest.param("0x4C0883A69102937D6231471B5DBB6204FE5129617082792AE468D01A3F362318", id="0x"),
        pytest.param("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", id="WIF"),
        pytest.param(
            base58.b58encode_check(b"\x80" + b"\x07" * 32 + b"\x01").decode(), id="compressed WIF"
        ),
        pytest.param(PHRASE, id="12 words"),
        pytest.param("  " + PHRASE.upper().replace(" ", "\n") + " ", id="12 words in capitals"),
        *(pytest.param(" ".join(["zoo"] * n), id=f"{n} words") for n in (15, 18, 21, 24)),
    ],
)
def test_a_secret_is_refused_with_a_warning_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="treat this wallet as exposed") as error:
        parse_account(secret)
    assert secret.split()[0] not in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "checksum", id="nothing"),
        pytest.param("hello", "checksum", id="not base58"),
        pytest.param("é" * 111, "checksum", id="not ASCII"),
        pytest.param(" ".join(["zoo"] * 13), "checksum", id="13 words"),
        pytest.param(ACCOUNT_XPUB[:-1] + "j", "checksum", id="a wrong character"),
        pytest.param(ACCOUNT_XPUB[:-1], "checksum", id="a missing character"),
        pytest.param(ACCOUNT_XPUB * 10_000, "checksum", id="far too long"),
        pytest.param("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "111 characters", id="an address"),
        pytest.param(make_xpub(version="04b24746"), "this is a zpub", id="zpub"),
        pytest.param(make_xpub(version="049d7cb2"), "this is a ypub", id="ypub"),
        pytest.param(make_xpub(version="043587cf"), "this is a tpub", id="tpub"),
        pytest.param(make_xpub(version="deadbeef"), "version bytes are unknown", id="version"),
        pytest.param(make_xpub(derivation="m"), "depth 0", id="master"),
        pytest.param(make_xpub(derivation="m/44'/60'"), "depth 2", id="coin"),
        pytest.param(make_xpub(derivation="m/44'/60'/0'/0/0"), "depth 5", id="address"),
        pytest.param(make_xpub(key=b"\x02" + bytes(31) + b"\x05"), "not a point", id="off curve"),
        pytest.param(make_xpub(key=b"\x04" + bytes(32)), "not a point", id="odd key"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_account(text)


def test_no_refusal_carries_the_text_in_its_cause() -> None:
    with pytest.raises(ValueError, match="checksum") as error:
        parse_account(ACCOUNT_XPUB[:-1])
    assert error.value.__suppress_context__


def test_a_fingerprint_is_the_same_in_every_version() -> None:
    assert (
        fingerprint(ACCOUNT_XPUB)
        == "2e96fa23130e9c852384d53863c966b1b42aeaf59e552b1a26d5b14298c2f666"
    )
