"""Which URLs and addresses webhooks may go to."""

from __future__ import annotations

import socket

import pytest

from watcher.webhooks.addresses import (
    LONGEST_URL,
    AddressRefused,
    check_url,
    is_public,
    public_socket,
)

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",  # CGNAT
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",  # the relays of 6to4
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.5",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_socket_is_opened_to_a_private_or_special_address(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    assert not is_public(address)
    with pytest.raises(AddressRefused):
        public_socket((family, socket.SOCK_STREAM, 6, "", (address, 443)))


@pytest.mark.parametrize("address", ["8.8.8.8", "100.128.0.1", "::ffff:8.8.8.8", "2606:4700::1111"])
def test_a_public_address_may_be_connected_to(address: str) -> None:
    assert is_public(address)
    public_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))).close()


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org:8443/hook?shop=1",
        "https://пример.рф/",
        "https://8.8.8.8/",
    ],
)
def test_a_url_on_the_internet_is_taken(url: str) -> None:
    check_url(url, allow_private=False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org/", "must start with https://"),
        ("ftp://example.org/", "must start with https://"),
        ("example.org/hook", "must start with https://"),
        ("//example.org/", "must start with https://"),
        ("", "must start with https://"),
        ("https:///hook", "with a host"),
        ("https://example.org:0/", "with a host"),
        ("https://example.org:99999/", "must be a URL"),
        ("https://exa mple.org/", "must be a URL"),
        ("https://example.org/a b\n", "with a host"),
        ("https://user:word@example.org/", "user name or password"),
        ("https://user@example.org/", "user name or password"),
        ("https://127.0.0.1/", "private or special"),
        ("https://[::1]/", "private or special"),
        ("https://[fe80::1]/", "private or special"),
        ("https://localhost./", "private or special"),
        (f"https://example.org/{'x' * LONGEST_URL}", "at most"),
    ],
)
def test_a_url_that_may_not_be_called_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        check_url(url, allow_private=False)
    assert not url or url not in str(refusal.value)


def test_where_private_addresses_are_allowed_so_is_plain_http() -> None:
    for url in ("http://127.0.0.1:8000/", "https://localhost/", "http://shop.internal/"):
        check_url(url, allow_private=True)
    with pytest.raises(ValueError, match="https:// or http://"):
        check_url("ftp://127.0.0.1/", allow_private=True)
