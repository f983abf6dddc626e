"""Small files that real programs wrote, each with the verdict beside it; ``corpus/README.md`` lists them."""

import json
from pathlib import Path

import pytest

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import RowRules, check_rows, read_file

CORPUS = Path(__file__).with_name("corpus")
VERDICTS = sorted(CORPUS.glob("*.verdict.json"))


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: verdict.name.removesuffix(".verdict.json"))
def test_a_file_of_a_real_program(verdict):
    """Its messages are sent, its bad rows are named with their places, or it is refused with its reason."""
    expected = json.loads(verdict.read_text(encoding="utf-8"))
    name = verdict.name.removesuffix(".verdict.json")
    with (CORPUS / name).open("rb") as stream:
        checked = check_rows(
            read_file(stream, name=name, **expected.get("file", {})), RowRules(**expected["rules"])
        )
        if reason := expected.get("error"):
            with pytest.raises(InvalidMessageError) as raised:
                list(checked)
            assert name in str(raised.value)
            assert reason in str(raised.value)
            return
        results = list(checked)

    bad = [each for each in results if isinstance(each, RowProblem)]
    assert expected["sent"] == [
        [each.recipient, each.text] for each in results if not isinstance(each, RowProblem)
    ]
    assert len(expected["bad"]) == len(bad)
    for (place, reason), problem in zip(expected["bad"], bad, strict=True):
        assert problem.place.endswith(place)
        assert reason in problem.reason
    read = expected.get("read", {})
    assert read == {key: getattr(checked.reading, key) for key in read}


def test_every_file_has_its_verdict():
    """No file of the corpus is left out."""
    files = {path.name for path in CORPUS.iterdir()} - {"README.md"}

    assert files == {
        name for verdict in VERDICTS for name in (verdict.name, verdict.name.removesuffix(".verdict.json"))
    }
