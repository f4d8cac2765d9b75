"""What a network's blocks hold on an endpoint's word alone, and which of it was altered on its way.

No hash commits to the calls in Ethereum's traces, nor to what code did on Tron: its logs and its
internal transfers. Where an endpoint alters that as the daemon reads a block, a payment does not
show, or another one at its place. These are limits that the documentation names; everything else
that the books and the chains differ in is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tests.faults import Place
from tests.gateway import Strike
from tests.soak.nets import Net
from tests.soak.truth import Paid

MOST_SHOWN = 12
TRACES = '["debug_traceBlockByHash"'
INFOS = "/wallet/gettransactioninfobyblocknum"


def explained(paid: Paid, nets: Iterable[Net]) -> bool:
    """Whether an endpoint altered what no hash commits to of the block of this transfer."""
    return any(
        strike.change is not None and _is_unproven(strike, strike.change.place)
        for _, strike in _about(paid, nets)
    )


def told(paid: Sequence[Paid], nets: Sequence[Net]) -> str:
    """Each of these transfers, with what befell requests that named its block."""
    return "\n".join(line for each in paid for line in _lines(each, nets))


def _is_unproven(strike: Strike, place: Place) -> bool:
    if strike.question.startswith(TRACES):
        return "calls" in place
    return strike.path == INFOS and not {"log", "internal_transactions"}.isdisjoint(place)


def _about(paid: Paid, nets: Iterable[Net]) -> Iterator[tuple[str, Strike]]:
    """The endpoint, as the configuration has it, and what befell it."""
    number = paid.block_number
    names = (paid.block_hash, f'"{number:#x}"', f'"num":{number}}}')
    for net in (each for each in nets if each.name == paid.network):
        for endpoint, gateway in zip("ab", net.gateways, strict=True):
            for strike in gateway.strikes:
                if any(name in strike.question.replace(" ", "") for name in names):
                    yield endpoint, strike


def _lines(paid: Paid, nets: Iterable[Net]) -> Iterator[str]:
    yield str(paid)
    strikes = sorted(_about(paid, nets), key=lambda each: each[1].at)
    for endpoint, strike in strikes[:MOST_SHOWN]:
        asked = strike.question.partition(",")[0] if strike.path == "/" else strike.path
        yield f"  {endpoint} {strike.at:.1f} {strike.fault.kind} {asked} {strike.change or ''}"
    if len(strikes) > MOST_SHOWN:
        yield f"  and {len(strikes) - MOST_SHOWN} more"
