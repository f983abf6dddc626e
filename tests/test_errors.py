"""How the text of an error is laid out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import LINE_WIDTH, P2PSMSError, fold_lines, lay_out, name_some

WORDS = st.lists(st.text("abc,.", min_size=1, max_size=20), max_size=60).map(" ".join)


@given(st.lists(st.tuples(st.sampled_from(["", "- ", "  "]), WORDS).map("".join)).map("\n".join))
def test_folding_moves_no_word(text):
    """Each line fits into the view, and the words are those of before, in their order."""
    folded = fold_lines(text)

    assert all(len(line) <= LINE_WIDTH for line in folded.splitlines())
    assert text.split() == folded.split()


def test_a_folded_action_is_still_one():
    """What belongs to a line of a list stands indented below it."""
    first, second = fold_lines("- " + "word " * 20).splitlines()

    assert first.startswith("- word")
    assert second.startswith("  word")


def test_a_summary_is_one_line_of_facts():
    """For a table or another error's text there is one line, without what can be done."""
    err = P2PSMSError(lay_out("It failed.", "Nothing was sent.", options=("Try again.",)))

    assert "It failed.\nNothing was sent.\n- Try again." == str(err)
    assert "It failed. Nothing was sent." == err.summary
    assert "It failed." == err.headline


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, "none"), (1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more"), (1503, "0, 1, 2 and 1,500 more")],
)
def test_many_names_are_cut_short(number, written):
    """The first are named, the others counted."""
    assert written == name_some(range(number), most=3)
