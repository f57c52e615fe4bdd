"""Times of rows that take turns, so that a busy moment of the machine meets every row alike."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 31


def measure(
    rows: dict[str, Callable[[], Any]],
    calls: int,
    rounds: int = ROUNDS,
    of: Callable[[list[float]], float] = statistics.median,
) -> dict[str, float]:
    """Nanoseconds per call of each row: the median, or what ``of`` makes of those of all rounds."""
    samples: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        # In another order each time: what ran before leaves its traces in the caches.
        for name, run in random.sample(list(rows.items()), len(rows)):
            began = time.perf_counter_ns()
            run()
            samples[name].append((time.perf_counter_ns() - began) / calls)
    return {name: of(sample) for name, sample in samples.items()}
