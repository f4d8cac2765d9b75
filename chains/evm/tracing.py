"""Which endpoints of a network trace, what they are asked, and what follows from who answers.

Only traces show the coin that contracts send, where a block's own logs do not. An endpoint that
gave some is waited for from then on: were a block taken without them while it is away, what it
alone shows would be missed in silence. Without any such endpoint `auto` goes on, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chains.base import ChainUnavailable, EndpointRefused
from chains.base import Traces as Mode
from chains.endpoint import Endpoint
from chains.evm.calls import Named
from chains.evm.rpc import NoState
from chains.evm.rules import EvmRules
from chains.evm.traces import CALL_TRACER, PARITY, Tracer, Traces
from chains.health import Missing
from watcher.domain.blocks import Hash

STATES_KEPT = 100
"""Blocks below the head whose state every node has; geth keeps 128 unless told otherwise."""
PATIENCE = 10
"""Failures to trace, neither able nor refusing, until nobody waits for an endpoint any more."""


class Tracing:
    """What is known of one network's endpoints since the start.

    Args:
        names: of all endpoints.
        coin: how messages call what contracts send.
    """

    def __init__(self, mode: Mode, names: Sequence[str], coin: str, rules: EvmRules) -> None:
        self.mode, self._names, self._coin, self._rules = mode, tuple(names), coin, rules
        self._tracers: dict[str, Tracer | None] = {}
        """By endpoint, what it answers; None: nothing. Absent: not known yet."""
        self._stateless: dict[str, int] = {}
        """By endpoint, the highest block that it was too young to trace."""
        self._failures: dict[str, int] = {}
        """By endpoint, how often it failed to trace, before it ever did or refused to."""
        self._untraced: list[int] = []
        """First and last block that was read without, and how many were."""
        self.by_logs = rules.native_log is not None
        """The newest block told by its logs, so that nobody needs to trace."""

    def tells(self, name: str) -> bool | None:
        """Whether an endpoint traces; None: not known, or never asked."""
        tracer = self._tracers.get(name, "")
        return None if tracer == "" else tracer is not None

    @property
    def silent(self) -> frozenset[str]:
        """Who is known not to trace."""
        return frozenset(name for name in self._names if self.tells(name) is False)

    def awaited(self, number: int) -> bool:
        """Whether the block must come with traces, even if that takes until an outage is over."""
        able = any(self.tells(name) or self._may_yet(name) for name in self._able(number))
        return self.mode == "required" or (self.mode == "auto" and able)

    def forget(self, node: Endpoint) -> None:
        """Ask anew whether it traces; who did is still waited for."""
        if self.tells(node.name) is False:
            del self._tracers[node.name]

    async def probe(self, node: Endpoint, number: int, block_hash: Hash) -> None:
        """Find out whether an endpoint traces, if that is not known."""
        if self.mode == "off" or self.tells(node.name) is not None:
            return
        try:
            await self._traces(node, number, f"0x{block_hash}")
        except ChainUnavailable:
            return  # what came of it is known by now, or will be tried again

    def needed(self, named: Named) -> bool:
        """Whether only traces tell what contracts sent in a block."""
        by_moves = self._rules.logs_moves and named.block_access_list_hash is not None
        self.by_logs = by_moves or self._rules.native_log is not None
        return bool(named.transactions) and not self.by_logs

    async def fetch(self, node: Endpoint, named: Named, *, whole: bool) -> Traces | None:
        """The endpoint's traces of a block, not checked; None where they are not needed, or none.

        Args:
            whole: raise instead where it has none.

        Raises:
            Missing: it has none, which is no fault of it.
            ChainUnavailable: it traces, but not now.
        """
        if not self.needed(named) or self.mode == "off":
            return None
        try:
            return await self._traces(node, int(named.number, 16), named.hash)
        except Missing as error:
            if not whole:
                return None
            if self.mode == "required":
                raise Missing(f'{error}; traces = "required"') from error
            raise

    async def _traces(self, node: Endpoint, number: int, block_hash: str) -> Traces:
        known = self.tells(node.name)
        if known is False:
            raise Missing("gives no traces")
        try:
            traces = await ask_traces(node, number, block_hash, self._tracers.get(node.name))
        except ChainUnavailable as error:
            if known is None and type(error) is EndpointRefused:
                self._tracers[node.name] = None
            elif isinstance(error, NoState | Missing) and self._may_forget(node, number):
                self._stateless[node.name] = max(number, self._stateless.get(node.name, 0))
            elif known or self._failed(node.name):
                raise
            raise Missing(f"gives no traces of block {number}: {error}") from error
        self._tracers[node.name] = traces.tracer
        return traces

    def _failed(self, name: str) -> bool:
        """Count a failure that says nothing of what the endpoint can; whether to try it again."""
        self._failures[name] = self._failures.get(name, 0) + 1
        return self._may_yet(name)

    def _may_yet(self, name: str) -> bool:
        """Whether it failed to trace, and may do so later: a fault at a start is soon over."""
        return self.tells(name) is None and 0 < self._failures.get(name, 0) < PATIENCE

    def _may_forget(self, node: Endpoint, number: int) -> bool:
        """Whether nodes that keep no old states may lack that of the block."""
        head = node.health.head
        return head is not None and head - number >= STATES_KEPT

    def _able(self, number: int) -> list[str]:
        """Who may trace that block: is not known to trace none, or not one so old."""
        return [
            name
            for name in self._names
            if self.tells(name) is not False and self._stateless.get(name, -1) < number
        ]

    def vouching(self, said: Mapping[str, bool | None], agreement: int) -> frozenset[str]:
        """Who vouches for transfers that only traces show.

        Args:
            said: by endpoint, whether its traces repeat the transfers; None: it has no traces, but
                the block's hash.

        As many as must agree, of those that trace, must repeat it now, and one at least; then the
        hash is enough of who cannot trace at all. Who can, and has forgotten that block, vouches
        for nothing: it may have denied it, before a restart of ours, too.
        """
        repeat = frozenset(name for name, same in said.items() if same)
        able = [name for name in self._names if self.tells(name) is not False]
        if len(repeat) < max(1, min(agreement, len(able))):
            return repeat
        return repeat | {name for name, same in said.items() if same is None and name not in able}

    def require_enough(self, number: int, given: int, agreement: int) -> None:
        """Raise ChainUnavailable where fewer gave their traces than of those that can must agree.

        Who only ever fails to trace is not waited for in the end.
        """
        able = [
            name
            for name in self._able(number)
            if self.tells(name) or self._failures.get(name, 0) < PATIENCE
        ]
        if given < (needed := min(agreement, len(able))):
            raise ChainUnavailable(f"block {number}: {given} of {needed} endpoints give its traces")

    def note_untraced(self, number: int) -> None:
        """Remember that a block was read without traces, for the operator to see."""
        if self.mode == "off":
            return
        first, last, count = self._untraced or (number, number, 0)
        self._untraced = [min(first, number), max(last, number), count + 1]

    def warnings(self) -> list[str]:
        """What cannot be known, as far as endpoints were seen; a sentence each."""
        if self.by_logs:
            return self._gaps()
        tracing = [name for name in self._names if self.tells(name)]
        sent = f"{self._coin} that contracts send"
        if self.mode == "off":
            return [f'{sent}: by audit only, since traces = "off"']
        if not tracing:
            return [f"{sent}: by audit only, since no endpoint is known to trace", *self._gaps()]
        if len(tracing) == 1:
            alone = f"{sent} is confirmed on the word of {tracing[0]}, the only one to trace"
            return [alone, *self._gaps()]
        return self._gaps()

    def _gaps(self) -> list[str]:
        if not self._untraced:
            return []
        first, last, count = self._untraced
        return [
            f"{count} of the blocks {first} to {last} were read without traces: "
            f"{self._coin} that contracts sent there shows by audit only"
        ]


async def ask_traces(
    node: Endpoint, number: int, block_hash: str, tracer: Tracer | None = None
) -> Traces:
    """The endpoint's traces of a block by `tracer`, else by whichever it serves.

    Raises:
        EndpointRefused: it serves none.
        ChainUnavailable: not now, or not of this block.
    """
    if tracer is None:
        try:
            return await ask_traces(node, number, block_hash, CALL_TRACER)
        except Missing:
            raise
        except EndpointRefused:
            return await ask_traces(node, number, block_hash, PARITY)
    # geth gives up after 5 seconds unless told otherwise. Parity's method takes no hash everywhere.
    by_hash = [block_hash, {"tracer": "callTracer", "timeout": "30s"}]
    content = await node.raw(tracer, by_hash if tracer == CALL_TRACER else [hex(number)])
    if content is None:
        raise ChainUnavailable(f"no traces of block {number}, just given")
    return Traces(tracer, content)
