"""Where webhooks may go: which URLs are taken, and which addresses a socket may be opened to.

The second check happens at the socket, after every resolution: a name that pointed elsewhere when
it was checked gets no further than one that never did.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any

from yarl import URL

LONGEST_URL = 2048

_UNICAST = ipaddress.ip_network("2000::/3")  # the rest is local, multicast, mapped or translated
_6TO4 = ipaddress.ip_network("2002::/16")  # leads to the IPv4 address within
_SPECIAL = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"))


class AddressRefused(OSError):
    """The host leads to a private or special address."""


def is_public(text: str) -> bool:
    """Whether an IP address is one of the Internet's, for a single host.

    By the registries of special addresses, https://www.iana.org/assignments/iana-ipv4-special-registry
    and iana-ipv6-special-registry. Of IPv6 all that carries an IPv4 address is refused (NAT64,
    6to4, compatible), but for the mapped form, which is judged as what it is.
    """
    ip = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if not ip.is_global or ip.is_multicast:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in _UNICAST and ip not in _6TO4
    return not any(ip in network for network in _SPECIAL)


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """A socket to an address that was just resolved; raises AddressRefused."""
    family, kind, protocol, _, address = info
    if not is_public(address[0]):
        raise AddressRefused("the host leads to a private or special address")
    return socket.socket(family, kind, protocol)


def check_url(text: str, allow_private: bool) -> URL:
    """A URL that webhooks may be sent to; raises ValueError, which never repeats it.

    Plain HTTP is for private networks, so it is taken where their addresses are.
    """
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        raise ValueError("must be a URL such as https://example.org/hook") from None
    schemes = ("https", "http") if allow_private else ("https",)
    if url.scheme not in schemes:
        raise ValueError(f"must start with {' or '.join(f'{each}://' for each in schemes)}")
    if not url.host or not port or len(text) > LONGEST_URL or re.search(r"[\s\x00-\x1f]", text):
        raise ValueError(f"must be a URL with a host, of at most {LONGEST_URL} characters")
    if url.user is not None or url.password is not None:
        raise ValueError("must not hold a user name or password")
    if not allow_private and _is_private_literal(url.host):
        raise ValueError("must not lead to a private or special address")
    return url


def lane_host(url: URL) -> str:
    """Host and port, by which deliveries share connections and fail together."""
    return f"{url.host}:{url.port}"


def _is_private_literal(host: str) -> bool:
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return not is_public(host)
    except ValueError:
        return False  # a name: what it leads to is checked at the socket
