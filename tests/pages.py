"""The README and the pages of docs/: their text with what it includes, their code, and their commands."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# The language of a block that includes a file stands in braces: so it is not formatted as code.
BLOCK = re.compile(r"^( *)```(?: \{ \.)?(\w*)[^\n]*\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
# A part of a file, as in "FILE:PART", counts as the whole.
INCLUDED = re.compile(r'^ *--8<-- "([^":]+)[^"]*"$', re.MULTILINE)
# What the pages use beside `p2psms`, `make` and `airflow`.
OTHER_PROGRAMS = {"apt-get", "cd", "curl", "export", "pip", "python", "unset"}


def read(path: Path) -> str:
    """Read a page, with the files that it includes."""
    return INCLUDED.sub(lambda found: (ROOT / found[1]).read_text("utf-8"), path.read_text("utf-8"))


PAGES = {page.relative_to(DOCS).as_posix(): read(page) for page in sorted(DOCS.rglob("*.md"))}


def blocks(text: str, *languages: str) -> list[str]:
    """Give the blocks of a text in these languages, without the indent of the block."""
    return [
        re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)
        for indent, language, code in BLOCK.findall(text)
        if language in languages
    ]


def languages(text: str) -> set[str]:
    """Name the languages of all blocks; "" for one without."""
    return {language for _, language, _ in BLOCK.findall(text)}


def lines_to_type(text: str) -> list[str]:
    """Give each command of the blocks of a shell as it is printed, over several lines if it is long."""
    found = []
    for code in blocks(text, "bash", "console"):
        pending = ""
        for line in code.splitlines():
            pending += f"{line}\n"
            try:
                shlex.split(pending.replace("\\\n", " "), comments=True)
            except ValueError:  # a quote is open
                continue
            if not line.endswith("\\"):
                found += [pending] if pending.strip() else []
                pending = ""
        assert not pending, f"a command does not end: {pending}"
    return found


def commands(text: str) -> list[list[str]]:
    """Give each command of the blocks of a shell as its words."""
    return [shlex.split(line.replace("\\\n", " "), comments=True) for line in lines_to_type(text)]


def check_command(words: list[str]) -> None:
    """Fail unless a command can be typed as it stands: its program, subcommand and options exist."""
    from airflow_provider_p2psms.cli import _build_parser

    program, *arguments = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    program = program.removeprefix(".venv/bin/")
    if program == "p2psms":
        _build_parser().parse_args(arguments)
    elif program == "make":
        assert set(arguments) <= make_targets(), words
    else:
        assert program in {*OTHER_PROGRAMS, "airflow"}, words


def make_targets() -> set[str]:
    """Name the targets of the Makefile."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    versions = {file.stem.partition("-")[2] for file in ROOT.glob("requirements/airflow-*.txt")}
    return {
        *re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE),
        *(f"matrix-{each}" for each in versions),
    }
