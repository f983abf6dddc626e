"""Ctrl-C that never falls between scheduling a message and noting its id, nor into its cancel."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """
    Turns the first SIGINT, SIGTERM or SIGHUP into ``KeyboardInterrupt``, and no later one.

    Inside ``hold()`` it waits until the block has ended. A signal that the parent process ignores stays
    ignored. Outside of the main thread it does nothing.
    """

    def __init__(self) -> None:
        self.came = False
        self._held = 0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Finish the block; a signal that comes within it is raised at its end."""
        came_before = self.came
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self.came and not came_before and not self._held:
            raise KeyboardInterrupt

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        is_first, self.came = not self.came, True
        if is_first and not self._held:
            raise KeyboardInterrupt
