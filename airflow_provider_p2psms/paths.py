"""Where a path leads: to this machine's files, or, as a URI, into object storage."""

from pathlib import Path


def is_uri(path: str) -> bool:
    """Whether a text is the URI of object storage, such as ``s3://conn_id@bucket/key``."""
    return "://" in path


def is_local(path: object) -> bool:
    """Whether a path is one of this machine. In older Airflows one into object storage is a ``Path``, too."""
    return type(path) is type(Path())
