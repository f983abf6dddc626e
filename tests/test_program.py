"""How printed commands begin: so that they work where they are printed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_p2psms.program import program

BESIDE = Path(sys.executable).with_name("p2psms")


def test_on_the_path(monkeypatch, tmp_path):
    """Where the PATH leads to this Python's command, its name is enough."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(BESIDE.parent))

    assert "p2psms" == program()


@pytest.mark.parametrize("path", ["", "another"])
def test_elsewhere(path, monkeypatch, tmp_path):
    """Where it leads nowhere, or to the command of another Python, the path of this one is named."""
    monkeypatch.chdir(tmp_path)
    another = tmp_path / "another" / "p2psms"
    another.parent.mkdir()
    another.write_text("#!/bin/sh\n")
    another.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / path) if path else "")

    assert [str(BESIDE)] == shlex.split(program())


def test_near_the_working_directory(monkeypatch):
    """In the folder of the virtual environment the path is short."""
    monkeypatch.chdir(BESIDE.parents[1])
    monkeypatch.setenv("PATH", "")

    assert "bin/p2psms" == program()


def test_without_a_command(monkeypatch, tmp_path):
    """Where no command lies beside Python, the usual name is left."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    assert "p2psms" == program()


def test_a_hint_can_be_typed_as_printed(tmp_path):
    """What `ledger show` names lists the ledgers, also without p2psms on the PATH."""
    environment = os.environ | {"PATH": "/usr/bin:/bin"}
    arguments = ["ledger", "show", "dag", "run", "task", "--path", str(tmp_path)]
    shown = subprocess.run([BESIDE, *arguments], env=environment, capture_output=True, text=True, check=False)
    hint = shown.stderr.partition("To list all: ")[2]

    listed = subprocess.run(["sh", "-c", hint], env=environment, capture_output=True, text=True, check=False)

    assert 0 == listed.returncode, listed.stderr
    assert f"0 ledgers in {tmp_path}" in listed.stdout
