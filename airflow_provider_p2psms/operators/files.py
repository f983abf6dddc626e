"""Files of a task, local or in any object storage that Airflow knows: opened here, understood elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast

from airflow_provider_p2psms import airflow_compat
from airflow_provider_p2psms.errors import P2PSMSError, lay_out
from airflow_provider_p2psms.paths import is_local, is_uri

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def locate(path: str | os.PathLike[str]) -> Path | ObjectStoragePath:
    """Return a local path, or, for a URI such as ``s3://conn_id@bucket/key``, an object storage path."""
    if is_local(path) or (isinstance(path, str) and not is_uri(path)):
        return Path(path).expanduser()
    return airflow_compat.ObjectStoragePath(cast("str", path))


@contextmanager
def open_rows(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, str]]:
    """
    Open a file of rows; give its stream and its name without the folder.

    :raises P2PSMSError: there is no such file, or it cannot be read; that may change until a later try.
    """
    located: Any = locate(path)
    try:
        stream = located.open("rb")
    except OSError as err:
        is_missing = isinstance(err, FileNotFoundError)
        fault = f"There is no file {located.name}." if is_missing else f"{located.name} cannot be read."
        raise P2PSMSError(
            lay_out(
                fault,
                f"Caused by: {type(err).__name__}",
                f"Path: {located}",
                options=(
                    "Check the path, and that this worker sees it: a shared folder, or object storage.",
                    "If another task writes it, let this one come after that.",
                ),
            )
        ) from err
    if is_local(located):  # the others tell Airflow themselves
        airflow_compat.lineage().add_input_asset(context=path, uri=located.absolute().as_uri())
    with stream:
        yield stream, located.name


@contextmanager
def open_outcomes(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a file for outcomes; a local one appears whole or not at all."""
    located: Any = locate(path)
    if not is_local(located):
        # Written as text by us: Airflow notes lineage at every write to such a file, so few are better.
        with located.open("wb") as raw, TextIOWrapper(raw, encoding="utf-8", newline="") as stream:
            yield stream
        return
    located.parent.mkdir(parents=True, exist_ok=True)
    unfinished = located.with_name(f"{located.name}.{os.getpid()}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        unfinished.replace(located)
        airflow_compat.lineage().add_output_asset(context=path, uri=located.absolute().as_uri())
    finally:
        unfinished.unlink(missing_ok=True)


def add_index(path: Any, map_index: int) -> Any:
    """Return a path with a map index at the end of the file's name: ``outcomes-3.csv``."""
    if not isinstance(path, str):
        return path.with_name(add_index(path.name, map_index))
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    numbered = f"{stem}-{map_index}.{suffix}" if stem and dot else f"{name}-{map_index}"
    return f"{folder}{slash}{numbered}"
