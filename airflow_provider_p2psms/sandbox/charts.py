"""Small charts as numbers for SVG: the template draws rectangles and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_p2psms.sandbox.outcomes import OUTCOMES


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, in the units of its chart, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    count: int
    name: str = ""


def columns(counts: Sequence[int], *, width: float, height: float) -> list[Bar]:
    """Return a column for each count, the tallest as high as the chart; a column that is not 0 is seen."""
    step, most = width / len(counts), max(*counts, 1)
    heights = [max(1.0, height * count / most) if count else 0.0 for count in counts]
    return [
        Bar(step * place, height - tall, step * 0.8, tall, count)
        for place, (count, tall) in enumerate(zip(counts, heights, strict=True))
    ]


def stack(counts: Mapping[str, int], *, width: float, height: float) -> list[Bar]:
    """Return one bar with a piece for each outcome, in the order of ``OUTCOMES``."""
    total, x, bars = sum(counts.values()) or 1, 0.0, []
    for name in OUTCOMES:
        if count := counts.get(name, 0):
            wide = width * count / total
            bars.append(Bar(x, 0, wide, height, count, name))
            x += wide
    return bars
