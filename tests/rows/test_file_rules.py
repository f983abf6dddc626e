"""How a file is to be read is checked before it is opened, and what was read is said in a sentence."""

import io

import pytest

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import RowRules, check_rows, read_file

from .workbooks import build, row

CSV = b"recipient,message,name\n09121234567,hi,a\n09121234568,,b\n"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"hidden_rows": "show"}, "hidden_rows must be one of"),
        ({"sheet": 0}, "sheet must be the name of a worksheet, or its number from 1"),
        ({"sheet": ""}, "sheet must be the name"),
        ({"sheet": True}, "sheet must be the name"),
        ({"sheet": 1.5}, "sheet must be the name"),
        ({"sheet": 1}, "is a text file and has no sheets; leave sheet out"),
    ],
)
def test_rules_that_fit_no_file(how, reason):
    """A wrong rule is named."""
    with pytest.raises(InvalidMessageError, match=reason):
        list(check_rows(read_file(io.BytesIO(CSV), name="list.csv", **how), RowRules()))


def test_texts_of_both_kinds_are_counted():
    """Where some rows have texts of their own, it is said how many have and how many come of the template."""
    checked = check_rows(read_file(io.BytesIO(CSV), name="list.csv"), RowRules(text="Dear {name}"))
    list(checked)

    assert "Texts: 1 from the message column, 1 from the template (text)." in checked.reading.sentences()


@pytest.mark.parametrize(
    ("hidden", "how", "told"),
    [
        (1, "send", "1 hidden row taken"),
        (2, "send", "2 hidden rows taken"),
        (2, "skip", "2 hidden rows skipped"),
    ],
)
def test_hidden_rows_are_counted(hidden, how, told):
    """The sentence about a workbook says how many hidden rows it took or left out."""
    cells = row(1, "recipient", "message") + row(2, "09121234567", "a")
    for place in range(3, 3 + hidden):
        cells += row(place, f"0912123456{place}", "b", attributes=' hidden="1"')
    checked = check_rows(
        read_file(io.BytesIO(build(("A", cells))), name="list.xlsx", hidden_rows=how), RowRules()
    )
    results = list(checked)

    assert not [result for result in results if isinstance(result, RowProblem)]
    assert (1 + hidden if how == "send" else 1) == len(results)
    assert told in " ".join(checked.reading.sentences())
