"""What a sandbox can be told: its address, its limits, its pace. It leaves faults to ``faults.py``."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from airflow_provider_p2psms.sandbox.habits import Habits


@dataclass(kw_only=True, eq=False)
class Settings(Habits):
    """
    The options of a sandbox, habits of its reports included.

    All but the address and the database can be changed while it runs.

    ``database`` is a file that outlives the sandbox; without one all is held in memory until it stops.
    ``duplicate_window_s=0`` turns the 40-second rule off. ``past_send_time`` is what becomes of a
    ``send_time`` that has gone by: sent at once, so that the documents' own examples work, or refused.
    ``queue_s`` is the time from the moment of sending to *sent*, ``delivery_s`` from there to *delivered*.
    ``latency_s`` is waited before every answer. ``credit`` is in rial. ``clock`` gives the time in Unix
    seconds.
    """

    host: str = "127.0.0.1"
    port: int = 0
    database: Path | str | None = None
    token: str = field(default="sandbox-token", repr=False)
    max_recipients: int = 1_000
    max_rows: int = 10_000
    duplicate_window_s: float = 40.0
    past_send_time: Literal["send_now", "refuse"] = "send_now"
    queue_s: float = 1.0
    delivery_s: float = 2.0
    latency_s: float = 0.0
    credit: float = 1_000_000_000.0
    send_block: bool = False
    lines: tuple[str, ...] = ("+983000505", "+981234567890", "+981234567891")
    clock: Callable[[], float] = time.time
