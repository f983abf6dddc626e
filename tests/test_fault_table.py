"""The script behind `make fault-table`, in short: a few of its faults against our two operators."""

import importlib.metadata

import pytest

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(
        not importlib.metadata.version("apache-airflow").startswith("3.3."),
        reason="the table is made with the newest Airflow",
    ),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("fault", ["refused", "reset", "truncated"])
@pytest.mark.parametrize("operator", ["send_json", "send_file"])
def test_each_recipient_gets_the_text_once(operator, fault):
    """Whatever befalls the request or its answer, the figure in our columns is 1."""
    from scripts.faults.measure import COLUMNS, measure

    (column,) = (each for each in COLUMNS if each.send.endswith(operator) and each.reports)

    assert (1, 1) == measure(column, fault, rule=False).arrived


@pytest.mark.parametrize("shared", [3, 2])
def test_a_group_that_the_report_shows_in_part_is_not_sent_again(shared):
    """Where the report leaves out a recipient of a group, others' later messages do not prove its absence."""
    from scripts.faults.habit_rows import LOST, HabitColumn, HabitRow
    from scripts.faults.habits import measure_habit

    row = HabitRow("the last recipient left out", {"recipient_left_out": True})
    column = HabitColumn("taken, others send", "cut_before_answer", text="Alert")
    lost = (*LOST[: 1 + shared], *(("+989120000008", "Alone."),) * (3 - shared))

    figure = measure_habit(row, column, lost=lost)

    assert ({1}, "in doubt") == (set(figure.arrived), figure.told)


def test_a_message_to_ones_own_number_settles_a_lone_request():
    """With ``witness_recipient`` a lone batch that was not taken is sent, though nobody else sends."""
    from scripts.faults.measure import COLUMNS, measure

    (column,) = (each for each in COLUMNS if each.send.endswith("send_with_witness_recipient"))

    figure = measure(column, "cut_before_taken", rule=False)

    assert ((1, 1), "ok") == (figure.arrived, figure.told)
