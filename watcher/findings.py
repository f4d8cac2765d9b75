"""What an operator does with a finding of the audit: look, make a deposit of it, dismiss it."""

from __future__ import annotations

from dataclasses import replace

import storage
from storage import Conn
from watcher.accepting import accepted_by_hand
from watcher.clock import rfc3339
from watcher.domain.audit import Finding, FindingKind, FindingState, arrived, gained, in_the_way
from watcher.domain.deposits import Deposit, DepositStatus, Watched
from watcher.domain.ids import derived_id
from watcher.domain.money import amount_of
from watcher.domain.stand_ins import STAND_IN
from watcher.policy import Policy
from watcher.refused import NotFound, NotOpen
from watcher.render import Json
from watcher.settling import settle_invoices

ACCEPTABLE = (FindingState.OPEN, FindingState.DISMISSED)


async def accept_finding(conn: Conn, policy: Policy, finding_id: str, now: int) -> Finding:
    """Make of a surplus a deposit to the invoice that has the address, confirmed by hand.

    Holds the network's row, as whoever adds deposits does: the money is either found in its block
    first, and nothing is accepted, or accepted first, and gives way to what is found.

    Raises:
        NotFound: there is no such finding.
        NotOpen: it is closed, no surplus, the ledger has changed since it was found, or another
            finding must be decided first.
        NoRate: the invoice did not offer this asset, and there is no rate for it now.
    """
    seen = await find_finding(conn, finding_id)
    await storage.cursors.hold(conn, seen.network)
    finding = await find_finding(conn, finding_id)  # as it is now that nobody changes it
    _require_acceptable(finding)
    if finding.network not in policy.networks:
        raise NotOpen(f"{finding.network} is not enabled, and nobody would follow what is credited")
    await _require_same_ledger(conn, finding)
    await _require_not_counted(conn, policy, finding)
    owner = await _owner(conn, policy, finding)
    invoice = await storage.invoices.get(conn, owner.invoice_id)
    if invoice is None:
        raise LookupError(f"{owner.invoice_id}: no such invoice, though it has an address")
    deposit = _deposit(policy, finding, owner, now)
    deposit = accepted_by_hand(policy, policy.rates.market(now), invoice, deposit)
    accepted = replace(finding, state=FindingState.ACCEPTED, closed_at=now, deposit_id=deposit.id)
    changes = await storage.deposits.add(conn, [deposit], now)
    await storage.findings.save(conn, [accepted])
    await _note_arrival(conn, finding, now)
    events = await settle_invoices(conn, policy, set(), None, changes, now)
    await storage.events.append(conn, events, now)
    return accepted


async def dismiss_finding(conn: Conn, finding_id: str, now: int) -> Finding:
    """Close a finding that a person has looked into.

    Also one that was noted, or dismissed before, while a surplus cannot be accepted for it.

    Raises:
        NotFound: there is no such finding.
        NotOpen: it is closed.
    """
    seen = await find_finding(conn, finding_id)
    await storage.cursors.hold(conn, seen.network)
    finding = await find_finding(conn, finding_id)
    if finding.state is not FindingState.OPEN and not await _hinders(conn, finding):
        raise NotOpen(f"the finding is {finding.state.value} already")
    dismissed = replace(finding, state=FindingState.DISMISSED, closed_at=now)
    await storage.findings.save(conn, [dismissed])
    return dismissed


async def find_finding(conn: Conn, finding_id: str) -> Finding:
    """The finding; raises NotFound."""
    finding = await storage.findings.get(conn, finding_id)
    if finding is None:
        raise NotFound("there is no such finding")
    return finding


def render_finding(policy: Policy, finding: Finding) -> Json:
    """A finding as the operator sees it."""
    network = policy.networks.get(finding.network)
    asset = policy.asset(finding.method)
    show = network.spec if network else None
    return {
        "id": finding.id,
        "object": "finding",
        "network": finding.network,
        "method": finding.method,
        "asset": asset.symbol if asset else finding.method.partition(":")[2].upper(),
        "address": show.codec.show(finding.address) if show else finding.address,
        "kind": finding.kind.value,
        "has_code": finding.has_code,
        "amount": amount_of(finding.units, asset.decimals) if asset else None,
        "amount_units": str(finding.units),
        "first_block": finding.first,
        "last_block": finding.last,
        "block_hash": show.show_hash(finding.block_hash)
        if show and finding.block_hash
        else finding.block_hash,
        "block_time": rfc3339(finding.block_time) if finding.block_time else None,
        "explorer_url": show.explorer.address.format(show.codec.show(finding.address))
        if show
        else None,
        "state": finding.state.value,
        "deposit_id": finding.deposit_id,
        "found_at": rfc3339(finding.found_at),
        "closed_at": rfc3339(finding.closed_at) if finding.closed_at else None,
    }


def _require_acceptable(finding: Finding) -> None:
    if finding.kind is not FindingKind.SURPLUS:
        raise NotOpen(f"only a surplus can become a deposit; this is {finding.kind.value}")
    if finding.state not in ACCEPTABLE:
        raise NotOpen(f"the finding is {finding.state.value} already")


async def _require_same_ledger(conn: Conn, finding: Finding) -> None:
    """What was found since may be this very money: then only a new audit can tell."""
    network, address = finding.network, finding.address
    measures = (await storage.holdings.get(conn, network, [address])).get(address, {})
    deposits = await storage.holdings.arrivals(conn, network, [address])
    measure = measures[finding.method]
    today = arrived(deposits.get((address, finding.method), []), measure.last)
    if any(gained(measure.credits, today).values()):
        raise NotOpen("the ledger has changed since the audit: run the audit again first")


async def _require_not_counted(conn: Conn, policy: Policy, finding: Finding) -> None:
    """What was missed before may only be back, and its deposit is in the ledger."""
    dated = policy.networks[finding.network].spec.dated_balances
    missed = in_the_way(finding, await _of_account(conn, finding), dated=dated)
    if missed is not None:
        raise NotOpen(
            f"it may be the money that {missed.id} ({missed.kind.value}) misses, and be counted "
            f"already: look at an explorer, and dismiss {missed.id} first if that is gone, else "
            "this one"
        )


async def _hinders(conn: Conn, finding: Finding) -> bool:
    """Whether a surplus waits for a decision about it."""
    return any(
        each.kind is FindingKind.SURPLUS
        and each.state in ACCEPTABLE
        and in_the_way(each, [finding], dated=False)
        for each in await _of_account(conn, finding)
    )


async def _of_account(conn: Conn, finding: Finding) -> list[Finding]:
    """All findings at its address in its asset."""
    found = await storage.findings.of_addresses(conn, finding.network, [finding.address])
    return [each for each in found if each.method == finding.method]


async def _note_arrival(conn: Conn, finding: Finding, now: int) -> None:
    """The ledger knows of the money now, which the next audit must not take for news."""
    network, address = finding.network, finding.address
    measures = dict((await storage.holdings.get(conn, network, [address]))[address])
    measure = measures[finding.method]
    deposits = await storage.holdings.arrivals(conn, network, [address])
    today = arrived(deposits[address, finding.method], measure.last)
    measures[finding.method] = replace(measure, credits=today)
    await storage.holdings.put(conn, network, {address: measures}, now)


async def _owner(conn: Conn, policy: Policy, finding: Finding) -> Watched:
    family = policy.networks[finding.network].spec.family
    owners = await storage.addresses.watched(conn, finding.network, family, [finding.address])
    return owners[finding.address]


def _deposit(policy: Policy, finding: Finding, owner: Watched, now: int) -> Deposit:
    """A deposit in the last block that it can have come in, by no known transaction."""
    if finding.block_hash is None or finding.block_time is None:
        raise NotOpen("its block is not known; the money cannot be given a time")
    position = f"{STAND_IN}{finding.id}"
    key = (finding.network, finding.block_hash, "", position)
    rules = policy.networks[finding.network].rules
    return Deposit(
        id=derived_id("dep", finding.block_time, *key),
        merchant_id=owner.merchant_id,
        invoice_id=owner.invoice_id,
        network=finding.network,
        method=finding.method,
        block_number=finding.last,
        block_hash=finding.block_hash,
        block_time=finding.block_time,
        tx_hash=None,
        position=position,
        sender=None,
        address=finding.address,
        units=finding.units,
        required=rules.strictest if owner.required is None else owner.required,
        below_minimum=False,
        detected_at=now,
        status=DepositStatus.CONFIRMED,
        corroborated=True,
        confirmed_at=now,
    )
