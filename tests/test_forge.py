"""What a public forge checks and asks: its workflow calls the Makefile, and its forms can be read."""

import re
import tomllib
from typing import Any

import pytest

from tests.pages import ROOT, make_targets

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def workflow(name: str) -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / ".github/workflows" / name).read_text("utf-8"))


def test_the_workflow_calls_targets_of_the_makefile():
    """Nothing is checked on the forge that cannot be checked here."""
    steps = [step.get("run", "") for job in workflow("ci.yml")["jobs"].values() for step in job["steps"]]
    called = set(re.findall(r"make ([a-z-]+[a-z])", "\n".join(steps)))

    assert {"test", "docs", "dist", "browser", "venv"} <= called
    assert called - {"matrix"} <= make_targets()


def test_the_workflow_covers_what_is_supported():
    """Each Python that the package declares, and each older Airflow of the Makefile, has its job."""
    jobs = workflow("ci.yml")["jobs"]
    declared = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]
    [older] = re.findall(r"^OLDER_AIRFLOWS := (.*)$", MAKEFILE, re.MULTILINE)

    assert jobs["test"]["strategy"]["matrix"]["python"] == declared
    assert set(older.split()) <= set(jobs["older-airflows"]["strategy"]["matrix"]["airflow"])


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda file: file.stem
)
def test_issue_forms_are_read(form):
    """Each form is YAML that asks something."""
    assert pytest.importorskip("yaml").safe_load(form.read_text("utf-8"))
