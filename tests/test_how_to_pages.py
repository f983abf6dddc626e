"""The code of the how-to pages, run as it stands there."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

DOCS = Path(__file__).parents[1] / "docs"
BLOCKS = [
    pytest.param(code, id=f"{page}-{number}")
    for page in ("function", "notify", "query")
    for number, code in enumerate(
        re.findall(
            r"^```python\n(.*?)^```", (DOCS / f"{page}.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
    )
]


@pytest.mark.parametrize("code", BLOCKS)
def test_the_code_of_a_page_is_parsed_as_a_dag_file_is(code):
    """Each block builds what it shows; what is refused at parse would fail here."""
    sdk = pytest.importorskip("airflow.sdk", reason="the pages are written for Airflow 3")
    if "DeadlineAlert" in code and not hasattr(sdk, "DeadlineAlert"):
        pytest.skip("deadlines are there since Airflow 3.1")

    exec(compile(code, "page.py", "exec"), {"__name__": "page"})


@pytest.mark.parametrize(
    "link", re.findall(r"\]\((docs/[^)]+)\)", (DOCS.parent / "README.md").read_text("utf-8"))
)
def test_the_readme_leads_to_pages_that_are_there(link):
    """No link of the README into docs/ is dead."""
    assert (DOCS.parent / link).exists()
