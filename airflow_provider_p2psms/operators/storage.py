"""Files of a task, local or in any object storage that Airflow knows: opened here, understood elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast

from airflow_provider_p2psms import airflow_compat
from airflow_provider_p2psms.errors import P2PSMSError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def _locate(path: str | os.PathLike[str]) -> Path | ObjectStoragePath:
    """Return a local path, or, for a URI such as ``s3://conn_id@bucket/key``, an object storage path."""
    if _is_local(path) or (isinstance(path, str) and "://" not in path):
        return Path(path).expanduser()
    return airflow_compat.ObjectStoragePath(cast("str", path))


def _is_local(path: object) -> bool:
    # Not `isinstance`: in older Airflows a path into object storage is a kind of `Path`, too.
    return type(path) is type(Path())


@contextmanager
def open_rows(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, str]]:
    """
    Open a file of rows; give its stream and its name without the folder.

    :raises P2PSMSError: there is no such file; it may be there at a later try.
    """
    located: Any = _locate(path)
    try:
        stream = located.open("rb")
    except FileNotFoundError as err:
        raise P2PSMSError(f"There is no file {located.name} to read rows from.") from err
    if _is_local(located):  # the others tell Airflow themselves
        airflow_compat.lineage().add_input_asset(context=path, uri=located.absolute().as_uri())
    with stream:
        yield stream, located.name


@contextmanager
def open_outcomes(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a file for outcomes; a local one appears whole or not at all."""
    located: Any = _locate(path)
    if not _is_local(located):
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
