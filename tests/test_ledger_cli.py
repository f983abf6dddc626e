"""`p2psms ledger`: which ledgers lie in a folder, what they count, and which may be removed."""

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_p2psms.cli import main
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, Digests
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.ledger.records import NOT_TAKEN, Completion
from airflow_provider_p2psms.ledger.stores import ObjectStore

DAY_S = 86_400
LINE = "+983000505"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the shell says about Airflow is not to reach these tests."""
    monkeypatch.delenv("AIRFLOW__P2PSMS__LEDGER_PATH", raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home" / "p2psms_ledger"


def write(
    root: Path,
    *place: str,
    accepted: int = 3,
    in_doubt: int = 0,
    days: float = 0,
    name: str = "p2psms",
    owner: str = "",
    said_taken: bool = False,
    start: int = 1,
) -> Path:
    """Write a ledger of one try; return its folder."""
    folder = root.joinpath(*place)
    ledger = Ledger(ObjectStore(folder), name=name, owner=owner)
    ledger.open(must_exist=False)
    digests = Digests.of(
        number.to_bytes(DIGEST_BYTES, "big") for number in range(start, start + accepted + in_doubt + 1)
    )
    doubts = ledger.intend(digests, sender=LINE, at=1.7e9, until=1.7e9 + 60, gateway="https://gateway")
    ledger.flush()
    assert ledger.is_owner()
    some = Digests(digests.packed[: DIGEST_BYTES * (accepted + 1)])
    ledger.settle(doubts, some, [*range(11, 11 + accepted), NOT_TAKEN])
    if in_doubt:
        ledger.claim(doubts, over=1.7e9 + 30, said_taken=said_taken)
    else:
        ledger.close(Completion(1, None))
    ledger.flush()
    for file in folder.iterdir():
        os.utime(file, (time.time() - days * DAY_S,) * 2)
    return folder


def ledger(*arguments: object) -> int:
    return main(["ledger", *map(str, arguments)])


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert 0 == ledger(*arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_all_ledgers_are_listed(root, capsys):
    """Whose they are, what they count, how old and how large they are; a damaged one is among them."""
    write(root, "dag", "run%2F1", "task", accepted=12_000, owner="0")
    write(root, "dag", "run%2F1", "task", accepted=1, in_doubt=2, owner="1", start=50_000)
    write(root, "dag", "run%2F1", "task", name="p2psms-word", days=3)
    write(root, "dag", "run%2F1", "older", "4")
    write(root, "dag", "run%2F1", "older", "-1")
    damaged = write(root, "dag", "run2", "task")
    next(damaged.glob("*.head.json")).unlink()

    found = as_json(capsys, "list")

    assert [
        ("older", "p2psms", [], 1, 3, 0, None),
        ("older", "p2psms", ["4"], 1, 3, 0, None),
        ("task", "p2psms", ["0", "1"], 2, 12_001, 2, None),
        ("task", "p2psms-word", [], 1, 3, 0, None),
    ] == [
        tuple(
            each[name]
            for name in ("task", "ledger", "map_indexes", "tries", "accepted", "in_doubt", "damaged")
        )
        for each in found[:4]
    ]
    assert {("dag", "run/1")} == {(each["dag"], each["run"]) for each in found[:4]}
    assert "head" in found[4]["damaged"]

    assert 0 == ledger("list", root)
    shown = capsys.readouterr().out
    for words in ("run/1", "12,001", "0, 1", "damaged", "3 d", "0 h", "MB", "kB", "5 ledgers in"):
        assert words in shown


def test_many_map_indexes_are_shortened(root, capsys):
    """The first, the last, and how many."""
    for owner in range(12):
        write(root, "dag", "run", "task", owner=f"{owner}")

    ledger("list")

    assert "0 … 11 (12)" in capsys.readouterr().out


def test_a_task_s_ledgers_are_shown(root, capsys):
    """Counts, times, the gateway and what is in doubt; no line, no number, no text."""
    write(root, "dag", "run", "task", in_doubt=2, said_taken=True)
    write(root, "dag", "run", "task", name="p2psms-word")
    write(root, "dag", "run", "other")

    found, word = as_json(capsys, "show", "dag", "run", "task")

    assert (3, 1, 0, 1, ["https://gateway"], False, True) == (
        found["outbox_ids"],
        found["not_taken"],
        found["absent"],
        found["intents"],
        found["gateways"],
        found["all_accepted"],
        word["all_accepted"],
    )
    [doubt] = found["doubts"]
    assert (2, True) == (doubt["messages"], doubt["said_taken"])
    assert ("2023-11-14 22:13:20+00:00", "2023-11-14 22:13:50+00:00") == (doubt["since"], doubt["over"])

    assert 0 == ledger("show", "dag", "run", "task", "--path", root)
    shown = capsys.readouterr().out
    for words in ("2 messages of try 1-", "said that it took them", "p2psms-word", "begun 2", "outbox ids"):
        assert words in shown
    assert "3000505" not in shown


def test_a_ledger_without_intents_is_shown(root, capsys):
    """A try began it, and died; one of an earlier version does not say when."""
    Ledger(ObjectStore(root / "dag" / "run" / "task"), name="p2psms").open(must_exist=False)
    ObjectStore(root / "dag" / "run" / "old").write(
        "p2psms.1-0123abcd.0", [{"kind": "closing", "requests": 1, "send_time": None}]
    )

    assert 0 == ledger("show", "dag", "run", "task")
    assert "none" in capsys.readouterr().out
    assert 0 == ledger("show", "dag", "run", "old")
    assert "at an unknown time" in capsys.readouterr().out


def test_a_doubt_whose_request_is_not_known_to_be_over(root, capsys):
    """It is over at the latest when its intent says."""
    begun = Ledger(ObjectStore(root / "dag" / "run" / "task"), name="p2psms")
    begun.open(must_exist=False)
    begun.intend(Digests(bytes(range(1, DIGEST_BYTES + 1))), sender=LINE, at=1.7e9, until=1.7e9 + 60)
    begun.flush()

    [found] = as_json(capsys, "show", "dag", "run", "task")
    ledger("show", "dag", "run", "task")

    assert "2023-11-14 22:14:20+00:00" == found["doubts"][0]["over"]
    assert "took them" not in capsys.readouterr().out


@pytest.mark.parametrize("path", ["s3://bucket/ledgers", "nowhere"])
def test_what_cannot_be_read_is_said(path, capsys):
    """Object storage has tools of its own; a folder may be misspelt."""
    assert 1 == ledger("list", path)
    assert path in capsys.readouterr().err


def test_a_task_without_ledger(root, capsys):
    """It is said, with the command that names all."""
    root.mkdir(parents=True)

    assert 1 == ledger("show", "dag", "run", "task")
    assert "ledger list" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["environment", "home"])
def test_where_ledgers_lie(way, tmp_path, capsys, monkeypatch):
    """As Airflow's environment says, or in its home; without that, in the user's."""
    if way == "environment":
        monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "ledgers"))
        write(tmp_path / "ledgers", "dag", "run", "task")
    else:
        monkeypatch.delenv("AIRFLOW_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        write(tmp_path / "airflow" / "p2psms_ledger", "dag", "run", "task")

    assert 1 == len(as_json(capsys, "list"))


class TestPrune:
    """What is old is removed, and nothing that a person has still to settle."""

    def left(self, root: Path) -> list[str]:
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir())

    def test_old_runs_are_removed(self, root, capsys):
        """With their folders, and what notices keep there; a run with anything younger is kept whole."""
        write(root, "dag", "old", "task", days=91)
        write(root, "dag", "old", "mapped", "3", days=100)
        notices = write(root, "dag", "old", "@notices", "failed", "task", "0.1", "hook", days=100)
        for name in ("called.json", "turn"):
            (notices / name).touch()
        write(root, "dag", "mixed", "task", days=100)
        write(root, "dag", "mixed", "other", days=1)

        assert 0 == ledger("prune", root, "--older-than", "90d", "--yes")

        assert "Removed 3 ledgers of 1 runs" in capsys.readouterr().out
        assert ["dag", "dag/mixed", "dag/mixed/other", "dag/mixed/task"] == self.left(root)

    def test_ledgers_in_doubt_are_kept(self, root, capsys):
        """With all others in their folder, and so are damaged ones; unless it is asked for."""
        write(root, "dag", "run", "doubtful", in_doubt=1, days=9)
        write(root, "dag", "run", "doubtful", name="p2psms-word", days=9)
        damaged = write(root, "dag", "run", "damaged", days=9)
        next(damaged.glob("*.head.json")).unlink()
        write(root, "dag", "run", "good", days=9)

        assert 0 == ledger("prune", root, "--older-than", "1w", "--yes")
        assert "Kept 3 ledgers" in capsys.readouterr().out
        assert ["dag", "dag/run", "dag/run/damaged", "dag/run/doubtful"] == self.left(root)

        assert 0 == ledger("prune", root, "--older-than", "24h", "--yes", "--in-doubt")
        assert [] == self.left(root)

    def test_files_of_others_are_kept(self, root):
        """A folder in which something else lies stays, and so does that."""
        folder = write(root, "dag", "run", "task", days=9)
        (folder / "notes.txt").touch()

        ledger("prune", root, "--older-than", "1d", "--yes")

        assert ["notes.txt"] == [file.name for file in folder.iterdir()]

    def test_nothing_is_old(self, root, capsys):
        """It is said."""
        write(root, "dag", "run", "task")

        assert 0 == ledger("prune", "--older-than", "1h")
        assert "nothing to remove" in capsys.readouterr().out

    @pytest.mark.parametrize(("answer", "is_removed"), [("y\n", True), ("\n", False), (None, False)])
    def test_it_asks(self, root, capsys, monkeypatch, answer, is_removed):
        """A person at a terminal says yes; without a terminal nothing is removed."""
        folder = write(root, "dag", "run", "task", days=9)
        stdin = io.StringIO(answer or "")
        stdin.isatty = lambda: answer is not None  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", stdin)

        assert ledger("prune", "--older-than", "1d") == (0 if is_removed else 1)

        assert is_removed is not folder.exists()
        assert ("not confirmed" in capsys.readouterr().err) is not is_removed

    @pytest.mark.parametrize("age", ["90", "0d", "d", "-1d", "90 days"])
    def test_an_age_is_read_strictly(self, root, age, capsys):
        """What is no age removes nothing."""
        with pytest.raises(SystemExit):
            ledger("prune", f"--older-than={age}", "--yes")
        assert "is no age" in capsys.readouterr().err
