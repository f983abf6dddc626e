"""What is released: its description and its version."""

import re
import subprocess
import sys
import tomllib
import zipfile

from airflow_provider_p2psms import __version__
from tests.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_description_on_an_index_has_no_dead_link(tmp_path):
    """A link to a file of the repository is text there; links to the web stay."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        metadata = files.read(f"airflow_provider_p2psms-{__version__}.dist-info/METADATA").decode()

    assert "each customer their own text message" in metadata
    assert "The fault table (`docs/faults.md`)" in metadata
    assert [] == [link for link in re.findall(r"\]\(([^)]+)\)", metadata) if not link.startswith("https://")]


def test_the_version_has_one_place():
    """It is read from the package, and the changelog has a heading for it or for what comes next."""
    assert "version" in PROJECT["dynamic"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## (Unreleased|{re.escape(__version__)}\b)", changelog, re.MULTILINE)
