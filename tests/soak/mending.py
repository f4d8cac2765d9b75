"""What the daemon offers where one endpoint's word hid a payment, or told of a false one.

The audit must tell of it, and a rescan bring what is true and take back what is false. Only of an
inner call on Tron no endpoint can deny that it was made, as not every node keeps those: it stays a
rumour, which waits for agreement for ever, and the status must say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import storage
from chains.base import INTERNAL
from storage import Engine
from tests.real.process import ROOT, Daemon
from tests.real.shop import until
from tests.soak import word
from tests.soak.nets import Net
from tests.soak.truth import Paid
from tests.soak.verdict import Differences
from watcher.domain.audit import FindingState, dust
from watcher.domain.money import Method, Network
from watcher.policy import Policy

AUDITS = 5  # each looks at so many addresses only
MOST_FINDINGS = 1000
WARNED_SECONDS = 30.0
FINAL_SECONDS = 120.0


async def mend(
    daemon: Daemon, engine: Engine, policy: Policy, nets: Sequence[Net], found: Differences
) -> None:
    """Do what an operator would.

    Raises:
        AssertionError: a difference that no altered word explains, or that the audit is silent of.
    """
    strange = [each for each in found.all if not word.explained(each, nets)]
    assert not strange, f"missed, or false or twice:\n{word.told(strange, nets)}"
    owed = {(each.to, each.method): each for each in found.missed if _shows(each, policy, nets)}
    for each in found.false:
        owed.pop((each.to, each.method), None)  # the two may come to the same
    await _audit(daemon, engine, nets, owed.values())
    await _await_finality(engine, found.all)
    for network, number in sorted({(each.network, each.block_number) for each in found.all}):
        await _command(daemon, "rescan", network, "--from", str(number), "--to", str(number))


def rumours(after: Differences, before: Differences) -> list[Paid]:
    """What is false, was so before, and may stay so."""
    stay = [each for each in after.false if each.position.startswith(INTERNAL)]
    return [each for each in stay if each in before.false]


async def await_warnings(engine: Engine, rumours: Iterable[Paid]) -> None:
    """Wait until the status says of each that it waits."""
    words = {f"block {each.block_number} waits for agreement" for each in rumours}

    async def all_told() -> bool:
        async with storage.read(engine) as conn:
            reports = str(await storage.health.reports(conn))
        return all(each in reports for each in words)

    await until(all_told, f"the status warns: {', '.join(sorted(words))}", WARNED_SECONDS)


async def _await_finality(engine: Engine, found: Iterable[Paid]) -> None:
    """Wait until all these blocks are final: in others nothing is taken back."""
    newest: dict[str, int] = {}
    for each in found:
        newest[each.network] = max(each.block_number, newest.get(each.network, 0))

    async def is_final() -> bool:
        async with storage.read(engine) as conn:
            cursors = {name: await storage.cursors.get(conn, Network(name)) for name in newest}
        return all(
            cursor is not None and (cursor.finalized or 0) >= newest[name]
            for name, cursor in cursors.items()
        )

    await until(is_final, f"final: {newest}", FINAL_SECONDS)


def _shows(paid: Paid, policy: Policy, nets: Iterable[Net]) -> bool:
    """Whether a balance tells of it: not of what was sent on at once, and not of dust."""
    rules = policy.networks[Network(paid.network)]
    asset = rules.assets[Method(paid.method)]
    orders = {tx.removeprefix("0x"): order for net in nets for tx, order in net.ordered.items()}
    order = orders.get(paid.tx_hash)
    bounced = order is not None and order.way == "bounced"
    return not bounced and paid.units > dust(asset, rules.rules.minimum.get(asset.method, 0))


async def _audit(daemon: Daemon, engine: Engine, nets: Sequence[Net], owed: Iterable[Paid]) -> None:
    """Require a finding at the address of each."""
    silent = {(each.network, each.to, each.method): each for each in owed}
    for _ in range(AUDITS):
        for network in sorted({key[0] for key in silent}):
            await _command(daemon, "audit", network)
        async with storage.read(engine) as conn:
            told = await storage.findings.listing(
                conn, state=FindingState.OPEN, limit=MOST_FINDINGS
            )
        for each in told:
            silent.pop((each.network, each.address, each.method), None)
    assert not silent, f"no finding of:\n{word.told([*silent.values()], nets)}"


async def _command(daemon: Daemon, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *daemon.command(*words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, f"{' '.join(words)}: {said.decode()}"
