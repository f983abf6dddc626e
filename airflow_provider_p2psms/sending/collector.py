"""Python's garbage collector, while a million rows pass by."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Rows are containers, and each of them counts; the default of 700 makes a collection of every chunk of rows.
_BETWEEN_COLLECTIONS = 50_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """
    Look for cycles rarely, for a block: there are none among rows, and to look takes a sixth of the time.

    Not never: the caller's own iterators run here, and may leave some.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _BETWEEN_COLLECTIONS) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
