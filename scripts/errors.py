"""
`make errors`: every text that the package raises or logs, with its place, to be read aloud.

Reads the source and runs none of it. A value stands as the expression that gives it, in braces. ``ROOM…`` as
arguments names the rooms to print.
"""

import argparse
import ast
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "airflow_provider_p2psms"

_LEVELS = {name.lower() for name in logging.getLevelNamesMapping()} | {"exception"}
# What writes the parts of an error's text, and what adds to it.
_LAY_OUT, _ADD_NOTE = "lay_out", "add_note"

# What breaks the lines of a text.
_WRAPS = {"fold_lines"}

# What names stand for.
Known = dict[str, ast.expr]


@dataclass(frozen=True, slots=True, order=True)
class Text:
    """One text: where it stands, what gives it (an error's class, a level of the log), and its lines."""

    room: str
    file: str
    line: int
    kind: str
    lines: tuple[str, ...]


def find_texts(package: Path = PACKAGE) -> list[Text]:
    """Return all texts, sorted by room, file and line."""
    trees = {file: ast.parse(file.read_text("utf-8")) for file in package.rglob("*.py")}
    # Texts that several modules raise stand in one of them.
    shared = {name: value for tree in trees.values() for name, value in _assigned(tree).items()}
    found = list[Text]()
    for file, tree in trees.items():
        name = file.relative_to(package).as_posix()
        room = name.partition("/")[0] if "/" in name else "top"
        for call, known in _calls(tree, shared):
            if lines := tuple(_lines(call, known)):
                found.append(Text(room, name, call.lineno, _name(call), lines))
    return sorted(found)


def _calls(node: ast.AST, known: Known) -> Iterator[tuple[ast.Call, Known]]:
    """Give each call that raises or logs, but those inside of another, with what names stand for there."""
    if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
        known = known | _assigned(node)
    if isinstance(node, ast.Call) and _has_text(node):
        yield node, known
        return
    for child in ast.iter_child_nodes(node):
        # Whatever is raised is an error, also where a function makes it.
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
            yield child.exc, known
        else:
            yield from _calls(child, known)


def _name(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return "raised"


def _is_log(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="log") | ast.Attribute(attr="log"), attr=level):
            return level in _LEVELS
    return False


def _has_text(call: ast.Call) -> bool:
    """Tell whether a call makes an error, or a part of one, or logs."""
    name = _name(call)
    return _is_log(call) or name.endswith(("Error", "Exception", "Timeout")) or name in {_LAY_OUT, _ADD_NOTE}


def _assigned(scope: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> Known:
    """Return what is assigned to names in a module, outside of its functions, or in a function."""
    nodes = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
    return {
        target.id: node.value
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _lines(call: ast.Call, known: Known) -> Iterator[str]:
    # What follows the text of a log line are its values.
    for part in call.args[:1] if _is_log(call) else call.args:
        yield from _read(part, known)
    for word in call.keywords:
        if word.arg == "options":
            yield from (f"- {line}" for line in _read(word.value, known))


def _read(part: ast.AST, known: Known) -> Iterator[str]:
    """Give the lines of a part of a text; a value that no text stands in is left out."""
    match part:
        case ast.Constant(value=str(text)):
            yield from text.splitlines()
        case ast.JoinedStr():
            yield from _fill(part).splitlines()
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in known:
            yield from _read(known[name], {key: known[key] for key in known if key != name})
        case ast.Call() if _has_text(part) or _name(part) in _WRAPS:
            yield from _lines(part, known)
        case ast.Tuple() | ast.List() | ast.Dict() | ast.Starred() | ast.IfExp() | ast.BinOp():
            for each in ast.iter_child_nodes(part):
                yield from _read(each, known)


def _fill(text: ast.JoinedStr) -> str:
    parts = list[str]()
    for value in text.values:
        match value:
            case ast.Constant(value=str(written)):
                parts.append(written)
            case ast.FormattedValue(value=inside):
                parts.append(f"{{{ast.unparse(inside)}}}")
    return "".join(parts)


def main() -> None:
    """Print the texts, a room after another."""
    parser = argparse.ArgumentParser(description="Print every text that the package raises or logs.")
    parser.add_argument("room", nargs="*", help="only these rooms; `top` is the modules beside the rooms")
    rooms = parser.parse_args().room
    for room, texts in groupby(find_texts(), key=lambda text: text.room):
        if rooms and room not in rooms:
            continue
        print(f"\n=== {room}")
        for text in texts:
            print(f"\n{text.file}:{text.line}  {text.kind}", *text.lines, sep="\n    ")


if __name__ == "__main__":
    main()
