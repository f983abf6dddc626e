"""
What `make docs` does to pages: adds the help of commands, and drops the roles of Sphinx in docstrings.

It fails if a page would load anything from another host.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

# A line such as `<!-- help: ledger list -->`.
_HELP = re.compile(r"^<!-- help: ([a-z ]*)-->$", re.MULTILINE)
_WIDTH = "90"
# What MkDocs knows nothing of: `:class:` before a name, and `::` before a block.
_ROLES = re.compile(r":(?:attr|class|func|meth|mod):(?=<code>)|<p>::</p>")

_LOADED_FROM_ELSEWHERE = re.compile(r'<(?:script|img|link|iframe)\b[^>]*(?:src|href)="(?:https?:)?//[^"]*"')


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Be called by MkDocs with the text of each page."""
    return _HELP.sub(lambda found: f"```text\n{read_help(found[1].split())}\n```", markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Be called by MkDocs with the HTML of each page."""
    return _ROLES.sub("", html)


def on_post_page(output: str, **_: Any) -> str:
    """
    Be called by MkDocs with each page as it is written.

    :raises ValueError: the page would load something from another host.
    """
    if found := _LOADED_FROM_ELSEWHERE.search(output):
        raise ValueError(f"A page would load something from elsewhere: {found[0]}")
    return output


def read_help(command: list[str]) -> str:
    """Let a command print its help."""
    beside = Path(sys.executable).parent
    path = os.pathsep.join((str(beside), os.environ["PATH"]))
    done = subprocess.run(
        ["p2psms", *command, "--help"],
        env={**os.environ, "PATH": path, "COLUMNS": _WIDTH},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.rstrip()
