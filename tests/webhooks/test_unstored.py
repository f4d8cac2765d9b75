"""An outcome that the database does not take holds up no other."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import Metric

from storage import Engine
from tests.api.shop import BOX
from tests.real.shop import until
from tests.webhooks.receiver import open_office
from watcher.metrics import Metrics
from watcher.webhooks.delivering import Deliverer
from watcher.webhooks.sending import Answer, Message, Sender

LONE_SURROGATE = "\ud800"  # no driver encodes it


class BrokenSender(Sender):
    """Says of one path what cannot be stored."""

    async def post(self, message: Message, timeout_seconds: float) -> Answer:
        answer = await super().post(message, timeout_seconds)
        broken = message.url.endswith("/broken")
        return replace(answer, error=LONE_SURROGATE) if broken else answer


async def test_one_outcome_that_cannot_be_stored_holds_up_no_other(engine: Engine) -> None:
    async with open_office(engine) as office:
        for path in ("/broken", "/a", "/b"):
            await office.add(path)
        await office.shop.create()
        metrics, sender = Metrics(), BrokenSender(allow_private=True)
        deliverer = Deliverer(engine, office.shop.policy, BOX, sender, office.news, metrics=metrics)
        assert await deliverer.turn() == 3
        await until(lambda: ended(metrics, 3), "all three tries are over")
        assert await deliverer.turn() == 0
        await deliverer.close()
        assert await office.states() == {"delivered": 2, "waiting": 1}
        assert sum(tries(metrics).values()) == 3 + 1
        assert tries(metrics)["unstored"] == 1


async def ended(metrics: Metrics, number: int) -> bool:
    return sum(tries(metrics).values()) >= number


def tries(metrics: Metrics) -> dict[str, float]:
    """How many ended how."""
    [family] = [each for each in metrics.registry.collect() if is_tries(each)]
    return {
        each.labels["outcome"]: each.value
        for each in family.samples
        if each.name.endswith("_total")
    }


def is_tries(family: Metric) -> bool:
    return family.name.endswith("webhook_tries")
