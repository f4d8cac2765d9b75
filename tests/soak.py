"""The stories of chance at length: `make soak`, or `python -m tests.soak --kills 50 --seed 7`.

On each engine a daemon is killed again and again in the midst of a catch-up, and in the end its
books must equal those of one that nobody disturbed. The seed is printed; it repeats the moments.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
import uuid
from pathlib import Path

from storage import close, open_engine
from storage.migrate import migrate
from tests.anvil import Anvil
from tests.postgres import database_url, postgres_server, run_sql
from tests.real.kills import survive_kills
from tests.real.shop import TETHER


def main() -> None:
    """Run the soak on both engines; an AssertionError is a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="per engine")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}, {chosen.kills} kills per engine", flush=True)
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        name = f"soak_{uuid.uuid4().hex}"
        run_sql(server, f"CREATE DATABASE {name}")
        urls = {"sqlite": f"sqlite:///{folder}/soak.db", "postgresql": database_url(server, name)}
        for engine, url in urls.items():
            begun = time.monotonic()
            place = Path(folder, engine)
            place.mkdir()
            asyncio.run(soak(place, url, chosen.kills, chosen.seed))
            print(f"{engine}: the books are equal, {time.monotonic() - begun:.0f} s", flush=True)


async def soak(folder: Path, database_url: str, kills: int, seed: int) -> None:
    """One engine: a chain of its own, a killed daemon, and a calm follower beside it."""
    calm_url = f"sqlite:///{folder}/calm.db"
    for url in (database_url, calm_url):
        engine = open_engine(url)
        await migrate(engine)
        await close(engine)
    with Anvil(epoch_slots=64) as anvil:
        anvil.put_token(TETHER)
        await survive_kills(anvil, folder, database_url, calm_url, kills, seed)


if __name__ == "__main__":
    main()
