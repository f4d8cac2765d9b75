"""What work costs: time, and CPU time of this process and of the worker that proves blocks."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Self

from chains.worker import SHARED


@dataclass(frozen=True, slots=True)
class Cost:
    """What a number of blocks took."""

    blocks_per_second: float
    cpu_ms: float
    """Per block."""

    @classmethod
    def median(cls, costs: list[Cost]) -> Self:
        """Of each figure by itself."""
        speeds, cpu = ([each.blocks_per_second for each in costs], [each.cpu_ms for each in costs])
        return cls(statistics.median(speeds), statistics.median(cpu))


class Meter:
    """Runs from `start` on, while some client holds the worker or none does."""

    def __init__(self, wall: float, cpu: float) -> None:
        self._wall, self._cpu = wall, cpu

    @classmethod
    async def start(cls) -> Self:
        cpu = await _cpu_seconds()
        return cls(time.perf_counter(), cpu)

    async def cost(self, blocks: int) -> Cost:
        """Of so many blocks since the start."""
        seconds = time.perf_counter() - self._wall
        cpu = await _cpu_seconds() - self._cpu
        return Cost(blocks / seconds, 1000 * cpu / blocks)


def percentiles(times: list[float]) -> tuple[float, float]:
    """The 50th and the 99th; of few times the latter is about the greatest."""
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return cuts[49], cuts[98]


async def _cpu_seconds() -> float:
    return time.process_time() + await SHARED.run(time.process_time)
