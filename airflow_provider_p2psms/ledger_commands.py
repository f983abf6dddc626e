"""
The work of ``p2psms ledger``: finds ledgers in files, counts what they hold, and removes old ones.

Works without Airflow, on local folders and mounts. A ledger holds no number and no text, so none is shown.
"""

import argparse
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from rich.console import Console
from rich.table import Table

from airflow_provider_p2psms.errors import LedgerError
from airflow_provider_p2psms.ledger.digest import NO_DIGEST
from airflow_provider_p2psms.ledger.ledger import History, OpenIntent, owner_of, read_history
from airflow_provider_p2psms.ledger.places import folder_name
from airflow_provider_p2psms.ledger.records import Entry, Intent, Opening
from airflow_provider_p2psms.ledger.stores import ObjectStore
from airflow_provider_p2psms.paths import is_uri
from airflow_provider_p2psms.program import program

_WIDTH_OF_A_FILE = 160  # columns, where the output is no terminal
# A file of a ledger: its name, and a segment, a head, an owner record or a turn.
_RECORD = re.compile(r"([^.]+)\.(?:(?:[^.]+\.)?\d+-[^.]+\.(?:\d+|head|replaced)|(?:[^.]+\.)?turn\.\d+)\.json")
# What notices keep beside their ledger.
_BESIDE = {"called.json", "sent.json", "turn"}


@dataclass(frozen=True, slots=True)
class Kept:
    """
    One ledger: where it lies, and what it counts; not what it holds, which may be millions of digests.

    ``place`` is its folder's names from the root: DAG, run, task, and for ledgers of earlier versions the map
    index. ``written_at`` is the time of its newest file. ``damage`` says why it cannot be read. ``found`` is
    what ``list`` says of it, ``more`` what ``show`` says beside that.
    """

    folder: Path
    place: tuple[str, ...]
    name: str
    files: tuple[Path, ...] = field(repr=False)
    written_at: float
    size: int
    in_doubt: int
    damage: str
    found: dict[str, Any] = field(repr=False)
    more: dict[str, Any] = field(repr=False)

    @property
    def run(self) -> tuple[str, ...]:
        """What is old as one: DAG and run."""
        return self.place[:2]


def run_ledger(name: str, options: argparse.Namespace) -> int:
    """Run ``list``, ``show`` or ``prune`` and return the exit code: 0 well, 1 it could not."""
    if is_uri(options.path):
        return _complain(
            f"{options.path} is object storage, and this command reads folders. Mount it, or use the tools "
            "of the storage: docs/ledger-files.md says which files belong together."
        )
    root = Path(options.path).expanduser()
    if not root.is_dir():
        return _complain(f"There is no folder {root}.")
    return {"list": _list, "show": _show, "prune": _prune}[name](root, options)


def find_ledgers(root: Path) -> Iterator[Kept]:
    """Find and read all ledgers below a folder; a damaged one is among them."""
    for path, _, names in sorted(os.walk(root)):
        folder, by_name = Path(path), dict[str, list[Path]]()
        for name in names:
            if match := _RECORD.fullmatch(unquote(name)):
                by_name.setdefault(match[1], []).append(folder / name)
        place = tuple(unquote(part) for part in folder.relative_to(root).parts)
        for name, files in sorted(by_name.items()):
            yield _read(folder, place, name, tuple(files))


def _read(folder: Path, place: tuple[str, ...], name: str, files: tuple[Path, ...]) -> Kept:
    history, journals, damage = History(), dict[str, list[Entry]](), ""
    try:
        history, journals = read_history(ObjectStore(folder, patience_s=0.0), name)
    except LedgerError as err:
        damage = str(err)
    states = [file.stat() for file in files]
    written_at, size = max(state.st_mtime for state in states), sum(state.st_size for state in states)
    in_doubt = sum(map(_open, history.doubts))
    dag, run, task = (*place, "", "", "")[:3]
    found = {
        "dag": dag,
        "run": run,
        "task": task,
        "map_indexes": _map_indexes(place, journals),
        "ledger": name,
        "tries": len(journals),
        "accepted": len(history.accepted),
        "in_doubt": in_doubt,
        "damaged": damage or None,
        "written_at": _utc(written_at),
        "bytes": size,
        "folder": str(folder),
    }
    more = _details(history, journals)
    return Kept(folder, place, name, files, written_at, size, in_doubt, damage, found, more)


def _map_indexes(place: tuple[str, ...], writers: Iterable[str]) -> list[str]:
    """Return the map indexes that share a ledger, or the one that it is of."""
    owners = {owner_of(writer) for writer in writers} - {""}
    if len(place) == 4 and place[3] != "-1":
        owners.add(place[3])
    return sorted(owners, key=lambda owner: (len(owner), owner))


def _details(history: History, journals: Mapping[str, Sequence[Entry]]) -> dict[str, Any]:
    intents = [entry.at for entries in journals.values() for entry in entries if isinstance(entry, Intent)]
    return {
        "outbox_ids": len(set(history.accepted.values())),
        "not_taken": len(history.not_taken - history.accepted.keys()),
        "absent": len(history.absent - history.accepted.keys()),
        "intents": len(intents),
        "first_intent": _utc(min(intents)) if intents else None,
        "last_intent": _utc(max(intents)) if intents else None,
        "gateways": sorted({gateway for gateway, _ in history.origins}),
        "all_accepted": history.completion is not None,
        "open_witnesses": len(history.witnesses),
        "tries_begun": {writer: _begun(entries) for writer, entries in journals.items()},
        "doubts": [
            {
                "try": doubt.writer,
                "messages": _open(doubt),
                "since": _utc(doubt.at),
                "over": _utc(doubt.until if doubt.over is None else doubt.over),
                "said_taken": doubt.said_taken,
            }
            for doubt in history.doubts
        ],
    }


def _list(root: Path, options: argparse.Namespace) -> int:
    ledgers = list(find_ledgers(root))
    if options.json:
        _print_json([kept.found for kept in ledgers])
        return 0
    table = Table("DAG", "run", "task", "map index", "ledger", "tries", "accepted", "in doubt", "age", "size")
    for kept in ledgers:
        found = kept.found
        table.add_row(
            *(found[column] for column in ("dag", "run", "task")),
            _shorten(found["map_indexes"]),
            kept.name,
            f"{found['tries']:,}",
            f"{found['accepted']:,}",
            "damaged" if kept.damage else f"{kept.in_doubt:,}",
            _age(time.time() - kept.written_at),
            _size(kept.size),
        )
    console = _console()
    console.print(table)
    console.print(f"{len(ledgers):,} ledgers in {root}")
    return 0


def _show(root: Path, options: argparse.Namespace) -> int:
    # As folders are named: long names are cut there.
    wanted = tuple(unquote(folder_name(name)) for name in (options.dag, options.run_id, options.task))
    ledgers = [kept for kept in find_ledgers(root) if kept.place[:3] == wanted]
    if not ledgers:
        listing = f"{program()} ledger list {shlex.quote(str(root))}"
        return _complain(f"{root} has no ledger of this task. To list all: {listing}")
    if options.json:
        _print_json([kept.found | kept.more for kept in ledgers])
        return 0
    for kept in ledgers:
        console = _console()
        console.print(str(kept.folder / kept.name), soft_wrap=True)
        console.print(_table(kept))
    return 0


def _table(kept: Kept) -> Table:
    table = Table(show_header=False)
    hidden = {"dag", "run", "task", "ledger", "folder", "tries_begun", "doubts"}
    for name, value in (kept.found | kept.more).items():
        if name not in hidden:
            table.add_row(name.replace("_", " "), _cell(value))
    for writer, begun in kept.more["tries_begun"].items():
        table.add_row(f"try {writer}", f"begun {begun or 'at an unknown time'}")
    for doubt in kept.more["doubts"]:
        said = "; the gateway said that it took them" if doubt["said_taken"] else ""
        table.add_row(
            f"in doubt since {doubt['since']}",
            f"{doubt['messages']:,} messages of try {doubt['try']}, request over by {doubt['over']}{said}",
        )
    return table


def _prune(root: Path, options: argparse.Namespace) -> int:
    old, doubtful = _choose(list(find_ledgers(root)), options)
    console = _console()
    runs, size = len({kept.run for kept in old}), _size(sum(kept.size for kept in old))
    count = f"{len(old):,} ledgers of {runs:,} runs ({size})"
    if doubtful:
        console.print(
            f"Kept {len(doubtful):,} ledgers that are old enough: they, or others in their folders, have "
            "messages in doubt or are damaged. --in-doubt removes them, too."
        )
    if not old:
        console.print("There is nothing to remove.")
        return 0
    if not (options.yes or _is_confirmed(f"Remove {count} from {root}? [y/N] ")):
        return _complain("Nothing was removed: it was not confirmed (--yes does not ask).")
    for kept in old:
        _remove(root, kept)
    console.print(f"Removed {count}.")
    return 0


def _choose(ledgers: Sequence[Kept], options: argparse.Namespace) -> tuple[list[Kept], list[Kept]]:
    """Return those that are to be removed, and those that are old and kept for what is in doubt."""
    written = dict[tuple[str, ...], float]()
    for kept in ledgers:
        written[kept.run] = max(kept.written_at, written.get(kept.run, 0.0))
    latest = time.time() - options.older_than
    old = [kept for kept in ledgers if written[kept.run] < latest]
    # A folder is removed whole: its ledgers are one task's.
    doubtful = {kept.folder for kept in old if (kept.in_doubt or kept.damage) and not options.in_doubt}
    return (
        [kept for kept in old if kept.folder not in doubtful],
        [kept for kept in old if kept.folder in doubtful],
    )


def _remove(root: Path, kept: Kept) -> None:
    """Remove a ledger's files, what notices keep beside it, and folders that are empty then."""
    for file in kept.files:
        file.unlink(missing_ok=True)
    rest = list(kept.folder.iterdir()) if kept.folder.exists() else []
    if all(file.name in _BESIDE for file in rest):
        for file in rest:
            file.unlink(missing_ok=True)
    folder = kept.folder
    while folder != root and folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _is_confirmed(question: str) -> bool:
    return sys.stdin.isatty() and input(question).strip().casefold() in {"y", "yes"}


def _open(doubt: OpenIntent) -> int:
    return sum(digest != NO_DIGEST for digest in doubt.digests)


def _begun(entries: Sequence[Entry]) -> str | None:
    begun = [entry.begun for entry in entries if isinstance(entry, Opening)]
    return _utc(begun[0]) if begun else None


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "seconds")


def _age(seconds: float) -> str:
    hours = max(seconds, 0.0) / 3_600
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:,.0f} d"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{names[0]} … {names[-1]} ({len(names):,})"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return _shorten(value) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{value}"


def _console() -> Console:
    # A terminal has a width; a pipe has none. What stands in a file's name is data: no markup.
    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    return Console(markup=False, highlight=False, emoji=False, width=width)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def _complain(text: str) -> int:
    sys.stderr.write(f"p2psms ledger: {text}\n")
    return 1
