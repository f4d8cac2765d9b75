"""A process that delivers is killed again and again; every event arrives all the same."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import storage
from storage import close, open_engine
from tests.api.shop import BOX_KEY
from tests.real.shop import until
from tests.webhooks.receiver import Office, open_office

ROOT = Path(__file__).parents[2]
INVOICES_PER_RUN = 5  # with four events each: a soak's 51 runs tell more than 1,000
LONGEST_RUN = 0.15  # seconds until a kill, from the first delivery of a run on


async def survive_kills(database_url: str, kills: int, seed: int) -> int:
    """Kill a delivering process `kills` times in its work: at least once, in order, by one id.

    Returns how many events there were; none was lost.
    """
    engine, chance = open_engine(database_url), random.Random(seed)
    async with open_office(engine) as office:
        hook = await office.add()
        office.receiver.manners["/hook"] = ["slowly"]
        in_work = 0
        for _ in range(kills):
            await tell(office)
            with process(database_url) as running:
                begun = len(office.receiver.calls)
                await until(lambda begun=begun: more(office, begun), "it delivers")
                await asyncio.sleep(LONGEST_RUN * chance.random())
                running.kill()
                running.wait()
            in_work += (await office.states())["waiting"] > 0
        assert in_work, "every kill came after the work"
        await tell(office)
        with process(database_url):
            states = await office.settled(60)
        async with storage.read(engine) as conn:
            log = await storage.events.after(conn, office.shop.merchant_id, 0, 100_000)
        assert states == {"delivered": len(log)}
        for call in office.receiver.calls:
            call.verify(hook["secret"])
        firsts = list(dict.fromkeys(call.id for call in office.receiver.calls))
        assert sorted(firsts) == sorted(event.id for event in log)
        seqs = {event.id: (event.invoice_id, event.seq) for event in log}
        for invoice_id in {event.invoice_id for event in log}:
            came = [seqs[id][1] for id in firsts if seqs[id][0] == invoice_id]
            assert came == sorted(came)
    await close(engine)
    return len(log)


async def tell(office: Office) -> None:
    """Some invoices, each with several events."""
    for _ in range(INVOICES_PER_RUN):
        invoice = await office.shop.create(methods=["ethereum:usdt", "ethereum:eth"])
        path = f"/v1/invoices/{invoice['id']}"
        for method in ("ethereum:eth", "ethereum:usdt"):
            await office.shop.post(f"{path}/select", {"method": method})
        await office.shop.post(f"{path}/cancel")


async def more(office: Office, begun: int) -> bool:
    return len(office.receiver.calls) > begun


@contextmanager
def process(database_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A delivering process, dead at the end."""
    command = [sys.executable, "-m", "tests.webhooks.delivering_process", database_url, BOX_KEY]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as running:
        try:
            yield running
        finally:
            running.kill()
