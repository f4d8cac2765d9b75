"""A process that delivers and nothing else: `python -m tests.webhooks.delivering_process URL KEY`.

Its lease is short, so that a test need not wait a minute for what a killed one had taken.
"""

from __future__ import annotations

import asyncio
import sys

from storage import open_engine
from tests.api.shop import make_policy
from watcher.keys import SecretBox
from watcher.wakeup import News
from watcher.webhooks.delivering import Deliverer
from watcher.webhooks.sending import Sender

LEASE_SECONDS = 3


async def main(database_url: str, key: str) -> None:
    """Deliver until killed."""
    engine = open_engine(database_url)
    policy = make_policy(webhooks={"allow_private_addresses": True, "timeout_seconds": 1})
    sender = Sender(policy.webhooks.allow_private)
    deliverer = Deliverer(
        engine, policy, SecretBox([key]), sender, News(engine), lease_seconds=LEASE_SECONDS
    )
    print("delivering", flush=True)
    await deliverer.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
