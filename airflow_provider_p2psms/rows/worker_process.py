"""
Checks a large file in a process of its own, while its rows are digested, grouped and written in another.

The process is given the open file and the rules, and hands its results back through a pipe. It ends with
whoever started it, however that ended: then nobody reads the pipe.
"""

import fcntl
import gc
import io
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import BinaryIO, cast

import msgspec

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.errors import P2PSMSError, RowProblem
from airflow_provider_p2psms.rows.check import Checked, check_rows
from airflow_provider_p2psms.rows.files import find_encoding, read_file
from airflow_provider_p2psms.rows.processors import count_processors
from airflow_provider_p2psms.rows.reading import Reading
from airflow_provider_p2psms.rows.rules import FileRules, RowRules

_HEAD_BYTES = 4
# What it is to run, whatever this one had to do to find the package.
_START = "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); import {0}; {0}.main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """From which size on a file gets a process of its own, and what both have to run in."""

    # The process takes 0.1 s to start, and 20 MB: a file of 8 MB saves as much time, and this one twice that.
    large_bytes: int = 16 * 2**20
    # Room for a few thousand rows: with the usual 64 kB each process waits for the other all the time.
    pipe_bytes: int = 2**20
    # None: as many as there are.
    processors: float | None = None


class _Said(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What the process says at a time: one of these."""

    batch: bytes = b""
    problem: RowProblem | None = None
    failure: bytes = b""  # pickled
    reading: Reading | None = None  # said last


@contextmanager
def check_file(
    stream: BinaryIO, *, name: str, how: FileRules | None = None, limits: WorkerLimits | None = None
) -> Iterator[Callable[[RowRules], Checked]]:
    """
    Get ready to check a CSV or XLSX file: gives what does it, once, by the rules that it is told.

    A process starts meanwhile if the file is large. What comes is what ``check_rows`` gives of ``read_file``,
    and its errors.

    :param stream: left open; nobody else reads it meanwhile.
    :raises P2PSMSError: among the results, if the process ended too early, e.g. for want of memory.
    """
    how, limits, reading = how or FileRules(), limits or WorkerLimits(), Reading()
    process = _start(stream, pipe_bytes=limits.pipe_bytes) if _is_worth_it(stream, limits) else None
    if process is None:
        yield lambda rules: check_rows(read_file(stream, name=name, **asdict(how)), rules)
        return
    with process:
        try:
            yield lambda rules: Checked(
                _listen(process, stream, name=name, how=how, rules=rules, reading=reading), reading
            )
        finally:
            process.kill()


def _is_worth_it(stream: BinaryIO, limits: WorkerLimits) -> bool:
    """Tell whether it is a large file, not what unpacks or fetches one, and a second processor is there."""
    if not (isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO)):
        return False
    is_large = os.fstat(stream.fileno()).st_size >= limits.large_bytes
    return is_large and (limits.processors or count_processors()) >= 2


def _start(stream: BinaryIO, *, pipe_bytes: int) -> "subprocess.Popen[bytes] | None":
    """Start the process; ``None`` where the system has no room for one more."""
    try:
        process = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
            [sys.executable, "-c", _START.format(__name__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[stream.fileno()],
        )
    except OSError:
        return None
    with suppress(OSError, AttributeError):  # a user may have so much room in pipes; macOS offers no choice
        fcntl.fcntl(cast("io.BufferedWriter", process.stdout), fcntl.F_SETPIPE_SZ, pipe_bytes)
    return process


def _listen(
    process: subprocess.Popen[bytes],
    stream: BinaryIO,
    *,
    name: str,
    how: FileRules,
    rules: RowRules,
    reading: Reading,
) -> Iterator[Batch | RowProblem]:
    stdin, results = cast("io.BufferedWriter", process.stdin), cast("io.BufferedReader", process.stdout)
    if not how.encoding:  # detected here, while the process starts
        how = replace(how, encoding=find_encoding(stream, name=name, region=rules.region))
    with suppress(BrokenPipeError):  # it has ended already, as is found below
        stdin.write(pickle.dumps(sys.path) + pickle.dumps((stream.fileno(), name, how, rules)))
        stdin.close()
    decoder, frame = msgspec.msgpack.Decoder(_Said), bytearray()
    while len(head := results.read(_HEAD_BYTES)) == _HEAD_BYTES:
        size = int.from_bytes(head)
        if len(frame) < size:
            frame = bytearray(size)
        content = memoryview(frame)[:size]
        if results.readinto(content) < size:
            break
        said = decoder.decode(content)
        if said.failure:
            raise pickle.loads(said.failure)  # noqa: S301 - from a process of our own
        if said.reading:
            reading.become(said.reading)
            return
        yield said.problem or Batch.from_bytes(said.batch)
    raise P2PSMSError(
        f"The process that checks the rows has ended before its work (code {process.wait()}). Nothing was "
        "sent. A later try begins anew."
    )


# --- in the process


def main() -> None:
    """Check the file whose number and rules are read from stdin, and write the results to stdout."""
    # It ends without a word when nobody listens any more, and as its parent wants when a person interrupts.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # no cycles are made here, and a process that ends leaves none
    file, name, how, rules = pickle.load(sys.stdin.buffer)  # noqa: S301 - from a process of our own
    try:
        with os.fdopen(file, "rb") as stream:
            checked = check_rows(read_file(stream, name=name, **asdict(how)), rules)
            for result in checked.batches():
                _say(_Said(problem=result) if isinstance(result, RowProblem) else _Said(result.to_bytes()))
        _say(_Said(reading=checked.reading))
    except Exception as err:  # noqa: BLE001 - raised again where the results are read
        _say(_Said(failure=pickle.dumps(err)))
    sys.stdout.buffer.flush()


_encoder = msgspec.msgpack.Encoder()
_frame = bytearray()


def _say(said: _Said) -> None:
    # Always in the same memory, as where it is read: to get 200 kB anew takes as long as to fill them.
    _encoder.encode_into(said, _frame, _HEAD_BYTES)
    _frame[:_HEAD_BYTES] = (len(_frame) - _HEAD_BYTES).to_bytes(_HEAD_BYTES)
    sys.stdout.buffer.write(_frame)
