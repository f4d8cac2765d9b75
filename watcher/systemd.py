"""Talking to systemd: ready, stopping, status lines, and the watchdog's heartbeat.

The protocol is sd_notify(3): lines of text in a datagram to the socket that systemd names.
Started by anything else, all of it does nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping

import structlog

log = structlog.get_logger(__name__)


def sd_notify(message: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send `message`; False when nobody listens.

    Raises:
        OSError: the socket is gone or its queue is full. It never waits.
    """
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.setblocking(False)
        notify.connect(address)
        notify.sendall(message.encode())
    return True


def ready(environ: Mapping[str, str] = os.environ) -> bool:
    """The service is up: what is ordered after it may start."""
    return sd_notify("READY=1", environ)


def stopping(environ: Mapping[str, str] = os.environ) -> bool:
    """The service is on its way out."""
    return sd_notify("STOPPING=1", environ)


def status(text: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Show `text` in `systemctl status`; a line break would begin another message."""
    return sd_notify("STATUS=" + " ".join(text.split()), environ)


def watchdog_seconds(environ: Mapping[str, str] = os.environ) -> float | None:
    """Longest silence that systemd takes from this process; None: it does not watch it."""
    for_us = environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not for_us or not microseconds.isdecimal() or not int(microseconds):
        return None
    return int(microseconds) / 1_000_000


async def watchdog(environ: Mapping[str, str] = os.environ) -> None:
    """Ping twice per period for as long as the event loop turns; return at once if unwatched.

    A failed ping is left to the next one: if none arrives, a restart is what systemd is there for.
    """
    seconds = watchdog_seconds(environ)
    if seconds is None:
        return
    arrived = True
    while True:
        try:
            sd_notify("WATCHDOG=1", environ)
            arrived = True
        except OSError as error:
            if arrived:  # one line when an outage begins
                log.warning("watchdog_ping_failed", reason=error.strerror)
            arrived = False
        await asyncio.sleep(seconds / 2)  # by the monotonic clock
