"""The page of versions: its tables are what is pinned, run and declared, and each line says what holds it."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.pages import PAGES, ROOT, make_targets

PAGE = PAGES["versions.md"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
VENV = (ROOT / "scripts/venv.sh").read_text("utf-8")
DECLARED = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]


def table(heading: str) -> list[list[str]]:
    """Give the cells of the rows of the table below a heading."""
    rows = re.findall(
        r"^\| (.*) \|$", PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0], re.MULTILINE
    )
    return [row.split(" | ") for row in rows[1:]]


TRIED = {row[0].partition(" ")[0]: row for row in table("What is tried")}


def pins(name: str) -> dict[str, str]:
    """Give the versions that a file of requirements pins."""
    lines = (ROOT / f"requirements/{name}.txt").read_text("utf-8").splitlines()
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", line)[0] for line in lines if "==" in line)


def file_of(airflow: str) -> str:
    """Name the requirements by which an Airflow of the table is tried."""
    if airflow == max(each for each in TRIED if "pre-release" not in TRIED[each][0]):
        return "dev"
    return "airflow-next" if "pre-release" in TRIED[airflow][0] else f"airflow-{airflow}"


def test_the_table_has_what_is_supported():
    """The older Airflows of the Makefile, the one of `make test`, and the next."""
    [older] = re.findall(r"^OLDER_AIRFLOWS := (.*)$", MAKEFILE, re.MULTILINE)
    newest = pins("dev")["apache-airflow"].rpartition(".")[0]
    following = ".".join(pins("airflow-next")["apache-airflow"].split(".")[:2])

    assert [*older.split(), newest, following] == list(TRIED)


@pytest.mark.parametrize("airflow", TRIED)
def test_each_row_is_what_is_pinned(airflow):
    """The pins are of that Airflow; its ledger lies in files where there is no task state store."""
    pinned = pins(file_of(airflow))["apache-airflow"]

    assert pinned.startswith(f"{airflow}.")
    assert TRIED[airflow][2].startswith("files") == (tuple(map(int, airflow.split("."))) < (3, 3))


@pytest.mark.parametrize("airflow", TRIED)
def test_the_pythons_of_a_row(airflow):
    """From the lowest that the package declares to the newest with which its environment is made."""
    first, last = re.findall(r"3\.\d+", TRIED[airflow][1])
    has_no_newest = any(f"*{each}*" in VENV for each in (f"airflow-{airflow}", f"airflow-{airflow[0]}."))

    assert DECLARED[0] == first == PROJECT["requires-python"].removeprefix(">=")
    assert (DECLARED[-2] if has_no_newest else DECLARED[-1]) == last


def test_the_ends_of_the_ranges_are_the_same_everywhere():
    """README, first page and page of versions begin with one sentence on what is supported."""
    supported = [each for each in TRIED if "pre-release" not in TRIED[each][0]]
    told = f"Airflow {supported[0]} to {supported[-1]}, Python {DECLARED[0]} to {DECLARED[-1]}"

    for page in (PAGE, PAGES["index.md"], (ROOT / "README.md").read_text("utf-8")):
        assert told in page
    lowest = next(each for each in map(Requirement, PROJECT["dependencies"]) if each.name == "apache-airflow")
    assert f">={supported[0]}" == str(lowest.specifier)


def test_the_workflow_runs_what_the_page_says():
    """All Pythons with the newest Airflow, one with the others."""
    jobs = pytest.importorskip("yaml").safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))[
        "jobs"
    ]
    [one] = {step["with"]["python-version"] for step in jobs["older-airflows"]["steps"] if "with" in step}

    assert DECLARED == jobs["test"]["strategy"]["matrix"]["python"]
    assert f"the other targets on {one} alone" in PAGE.replace("\n", " ")


def test_what_must_be_newer_than_the_constraints_of_airflow():
    """The version of python-calamine is the one that the package declares."""
    declared = next(
        each for each in map(Requirement, PROJECT["dependencies"]) if each.name == "python-calamine"
    )

    assert f"must be {str(declared.specifier).removeprefix('>=')} or newer" in PAGE


@pytest.mark.parametrize("airflow", ["3.0", "3.2"])
def test_the_advice_for_airflows_that_do_not_run_as_they_come_is_what_is_tried(airflow):
    """What the page says to install is what the pins have."""
    pinned = pins(f"airflow-{airflow}")
    told = PAGE.partition("do not run with the newest versions")[2].partition("\n## ")[0].replace("\n", " ")
    [advice] = re.findall(rf"((?:`[^`]+`(?: and )?)+) \({re.escape(pinned['apache-airflow'])}\)", told)

    wanted = [Requirement(each) for each in re.findall(r"`([^`]+)`", advice)]
    assert wanted
    assert [] == [str(each) for each in wanted if not each.specifier.contains(pinned[each.name])]


@pytest.mark.parametrize("row", table("What differs"), ids=lambda row: row[1][:40])
def test_each_difference_says_what_holds_it(row):
    """A test that is there, a target of the Makefile, or the word that there is none."""
    _, _, held = row
    files, targets = re.findall(r"`(tests/[^`]+)`", held), re.findall(r"`make ([^`]+)`", held)

    assert held.startswith("no test") or files or targets
    assert [] == [file for file in files if not (ROOT / file).is_file()]
    assert set(targets) <= make_targets()


def test_tests_that_hold_a_difference_run_on_the_airflows_in_question():
    """`make matrix-…` runs what is marked so: each file named there is."""
    for row in table("What differs"):
        if not row[2].startswith("no test"):
            for file in re.findall(r"`(tests/[^`]+)`", row[2]):
                assert re.search(r"mark\.(airflow|stack)\b", (ROOT / file).read_text("utf-8")), file
