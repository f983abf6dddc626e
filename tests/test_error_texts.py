"""`make errors` finds the texts that the package raises and logs, where they stand."""

import ast
import subprocess
import sys

from scripts.errors import PACKAGE, find_texts
from tests.pages import ROOT

SOURCE = """
import logging

log = logging.getLogger(__name__)
OPTIONS = ("Do this.", "Or that.")


def f(name):
    log.info("%s rows", len(name))
    told = f"{name} is wrong."
    if name:
        raise ValueError(told)
    err = UnsettledError(lay_out("It is not known.", f"Ask {name}.", options=(*OPTIONS, "Or wait.")))
    raise err from None
"""


def test_texts_are_found_with_their_places(tmp_path):
    """Literals, f-strings, names and options; a value stands as its expression."""
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.py").write_text(SOURCE, "utf-8")

    assert [
        ("rows", "rows/a.py", 9, "info", ("%s rows",)),
        ("rows", "rows/a.py", 12, "ValueError", ("{name} is wrong.",)),
        (
            "rows",
            "rows/a.py",
            13,
            "UnsettledError",
            ("It is not known.", "Ask {name}.", "- Do this.", "- Or that.", "- Or wait."),
        ),
    ] == [(each.room, each.file, each.line, each.kind, each.lines) for each in find_texts(tmp_path)]


def test_nearly_all_that_is_raised_is_found():
    """What the list lacks are texts that a function returns."""
    raised = {
        (file.relative_to(PACKAGE).as_posix(), node.lineno)
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args
    }
    found = {(each.file, each.line) for each in find_texts()}

    assert len(raised & found) / len(raised) > 0.85


def test_one_room_is_printed():
    """A room as an argument leaves out the others."""
    done = subprocess.run(
        [sys.executable, "scripts/errors.py", "hooks"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "=== hooks" in done.stdout
    assert "=== rows" not in done.stdout
    assert "No sending line" in done.stdout
