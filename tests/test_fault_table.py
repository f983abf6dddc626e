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


@pytest.mark.parametrize("fault", ["refused", "reset", "truncated"])
@pytest.mark.parametrize("operator", ["send_json", "send_file"])
def test_each_recipient_gets_the_text_once(operator, fault):
    """Whatever befalls the request or its answer, the figure in our columns is 1."""
    from scripts.faults.measure import COLUMNS, measure

    (column,) = (each for each in COLUMNS if each.send.endswith(operator) and each.reports)

    assert (1, 1) == measure(column, fault, rule=False).arrived
