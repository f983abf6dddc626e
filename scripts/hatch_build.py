"""
The description of the package on an index: the README, without links that lead nowhere there.

A relative link leads to a file of the repository, and nowhere on an index. There the text of the link stands,
with the name of the file, which the source distribution holds.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"\[([^\]]+)\]\((?!https?://|#)([^)]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Be called by hatchling for what `pyproject.toml` calls dynamic."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the description."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": _RELATIVE.sub(r"\1 (`\2`)", text)}
