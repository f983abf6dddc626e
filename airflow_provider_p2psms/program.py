"""How the command ``p2psms`` is called here, so that what is printed can be typed as it stands."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """
    Return ``p2psms`` where the PATH leads to the one of this Python, or else its path.

    A virtual environment that is not activated, such as that of ``make``, is not on the PATH.
    """
    beside = Path(sys.executable).with_name("p2psms")
    found = shutil.which("p2psms")
    if not beside.exists() or (found and beside.samefile(found)):
        return "p2psms"
    is_near = beside.is_relative_to(Path.cwd())
    return shlex.quote(os.path.relpath(beside) if is_near else str(beside))
