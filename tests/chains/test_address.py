"""EVM addresses and payment links."""

from __future__ import annotations

import pytest

from chains.evm.address import of_key, parse, payment_uri, show
from watcher.domain.money import Address, Asset, Network

EIP55 = [  # the examples of EIP-55
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
MIXED = EIP55[4]


@pytest.mark.parametrize("text", EIP55)
def test_the_checksum_is_that_of_eip_55(text: str) -> None:
    assert parse(text) == text.lower()
    assert show(Address(text.lower())) == text


@pytest.mark.parametrize("text", [MIXED.lower(), "0x" + MIXED[2:].upper()])
def test_one_case_carries_no_checksum_and_is_taken(text: str) -> None:
    assert parse(text) == MIXED.lower()


@pytest.mark.parametrize(
    "text",
    [MIXED.replace("Ae", "ae", 1), MIXED[:-1] + "D", "0x" + MIXED[2:].swapcase()],
)
def test_a_wrong_checksum_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="bad checksum"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        MIXED[2:],
        MIXED[:-1],
        MIXED + "0",
        MIXED + "\n",
        f" {MIXED}",
        "0X" + MIXED[2:],
        MIXED[:-1] + "g",
        "0x" + "٣" * 40,
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
        "vitalik.eth",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="40 hex digits"):
        parse(text)


def test_the_address_of_a_key() -> None:
    # The public key of private key 1: the curve's generator.
    key = bytes.fromhex(
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    )
    assert show(of_key(key)) == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"


@pytest.mark.parametrize("size", [33, 63, 65])
def test_a_key_has_64_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        of_key(bytes(size))


TO = parse(MIXED)


def test_a_link_to_pay_a_token() -> None:
    usdc = Asset(Network("polygon"), "USDC", 6, parse("0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"))
    assert payment_uri(usdc, TO, 49990000, 137) == (
        "ethereum:0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359@137/transfer"
        f"?address={MIXED}&uint256=49990000"
    )


def test_a_link_to_pay_the_native_coin_has_plain_wei() -> None:
    ether = Asset(Network("ethereum"), "ETH", 18)
    assert payment_uri(ether, TO, 2 * 10**18 + 1, 1) == (
        f"ethereum:{MIXED}@1?value=2000000000000000001"
    )
