"""One POST, to receivers of every kind."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.webhooks.receiver import Receiver
from watcher.webhooks.addresses import AddressRefused, is_public
from watcher.webhooks.sending import ANSWER_BYTES, Answer, Message, Sender


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as opened:
        yield opened


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    opened = Sender(allow_private=True)
    yield opened
    await opened.close()


async def post(sender: Sender, url: str, seconds: float = 5) -> Answer:
    return await sender.post(Message(url, {"webhook-id": "evt_1"}, b"{}"), seconds)


async def test_headers_and_body_arrive_as_they_were_made(
    sender: Sender, receiver: Receiver
) -> None:
    answer = await post(sender, receiver.url())
    [call] = receiver.calls
    assert (answer.status, answer.body, answer.error) == (200, "answer 200", None)
    assert (call.body, call.headers["webhook-id"]) == (b"{}", "evt_1")
    assert call.headers["user-agent"].startswith("deposit-watcher/")


async def test_of_a_long_answer_the_beginning_is_kept(sender: Sender, receiver: Receiver) -> None:
    receiver.manners["/hook"] = ["flood", 200]
    answer = await post(sender, receiver.url())
    assert (answer.status, len(answer.body)) == (200, ANSWER_BYTES)
    assert (await post(sender, receiver.url())).status == 200


async def test_an_answer_with_endless_headers_is_a_failure(
    sender: Sender, receiver: Receiver
) -> None:
    receiver.manners["/hook"] = ["headers"]
    answer = await post(sender, receiver.url())
    assert (answer.status, answer.error) == (None, "the answer is not HTTP as it should be")


async def test_no_redirect_is_followed(sender: Sender, receiver: Receiver) -> None:
    receiver.manners["/hook"] = ["redirect"]
    assert (await post(sender, receiver.url())).status == 302
    assert receiver.at("/elsewhere") == []


async def test_a_receiver_that_hangs_is_left_in_time(sender: Sender, receiver: Receiver) -> None:
    receiver.manners["/hook"] = ["hang"]
    answer = await post(sender, receiver.url(), 0.2)
    assert (answer.status, answer.error) == (None, "no answer within 0.2 s")
    assert 200 <= answer.duration_ms < 2000


async def test_a_receiver_that_closes_the_connection_did_not_answer(
    sender: Sender, receiver: Receiver
) -> None:
    receiver.manners["/hook"] = ["close"]
    answer = await post(sender, receiver.url())
    assert answer.status is None
    assert answer.error is not None
    assert receiver.url() not in answer.error


async def test_nobody_there_is_told_without_the_address(sender: Sender) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answer = await post(sender, f"http://127.0.0.1:{port}/secret-path")
    assert answer.error is not None
    assert answer.error.startswith("cannot connect")
    assert str(port) not in answer.error


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_no_spelling_of_this_machine_gets_past_the_socket(
    receiver: Receiver, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.webhooks.sending.check_url", lambda url, allow_private: None)
    guarded, open_one = Sender(allow_private=False), Sender(allow_private=True)
    refused = await post(guarded, receiver.url(host=host))
    assert refused.error == "not sent: the host leads to a private or special address"
    assert receiver.calls == []
    assert (await post(open_one, receiver.url(host=host))).status == 200
    await guarded.close()
    await open_one.close()


class Names(AbstractResolver):
    """Names that lead elsewhere each time."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses.pop(0)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing to close."""


def open_to(*known: str) -> Any:
    """A guard that takes these addresses for public ones."""

    def open_socket(info: tuple[Any, ...]) -> socket.socket:
        if info[4][0] not in known and not is_public(info[4][0]):
            raise AddressRefused("the host leads to a private or special address")
        return socket.socket(*info[:3])

    return open_socket


async def test_a_name_that_leads_to_a_private_address_the_second_time_is_not_followed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.webhooks.sending.RESOLVED_SECONDS", 0)
    monkeypatch.setattr("watcher.webhooks.sending.KEEPALIVE_SECONDS", 0)
    monkeypatch.setattr("watcher.webhooks.sending.check_url", lambda url, allow_private: None)
    names = Names("127.0.0.1", "127.0.0.2")
    sender = Sender(False, open_socket=open_to("127.0.0.1"), resolver=names)
    url = receiver.url(host="shop.example.org")
    first, second = await post(sender, url), await post(sender, url)
    await sender.close()
    assert first.status == 200
    assert second.error == "not sent: the host leads to a private or special address"
    assert names.addresses == []
    assert len(receiver.calls) == 1


async def test_a_url_that_is_no_longer_allowed_is_not_called(receiver: Receiver) -> None:
    sender = Sender(allow_private=False)
    answer = await post(sender, receiver.url())
    await sender.close()
    assert answer.error == "not sent: must start with https://"
    assert receiver.calls == []
