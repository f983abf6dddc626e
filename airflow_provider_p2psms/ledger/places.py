"""The names of folders in which ledgers lie. Knows nothing of what is in them."""

from hashlib import blake2b
from urllib.parse import quote

# The longest name of a file that the usual file systems take, in bytes.
_LONGEST_NAME = 255
_DIGEST_SIZE = 16


def folder_name(name: str) -> str:
    """
    Return the name of the folder for a DAG, a run or a task: one that every file system takes.

    Letters beyond ASCII need six to twelve bytes each. A name that would be too long is cut, and ends in a
    digest of the whole name.
    """
    quoted = _quote(name)
    if len(quoted) <= _LONGEST_NAME:
        return quoted
    end = f"~{blake2b(name.encode(), digest_size=_DIGEST_SIZE).hexdigest()}"
    while len(quoted) + len(end) > _LONGEST_NAME:
        name = name[:-1]
        quoted = _quote(name)
    return f"{quoted}{end}"


def _quote(name: str) -> str:
    return quote(name, safe=" +:@=,")
