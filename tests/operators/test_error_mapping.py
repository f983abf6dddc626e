"""What Airflow sees of this package's errors."""

import logging

import pytest

from airflow_provider_p2psms.airflow_compat import AirflowException, AirflowFailException
from airflow_provider_p2psms.errors import GatewayRefusedError, P2PSMSError, UnreachableError, lay_out
from airflow_provider_p2psms.operators.error_mapping import errors_for_airflow

pytestmark = pytest.mark.airflow


def test_what_to_do_comes_after_the_facts():
    """First what happened, then to how many, then the other facts, then the actions, then rows at fault."""
    err = GatewayRefusedError(lay_out("It refused.", "  row 7: too long", "It says why.", options=["Wait."]))
    err.add_note("3 recipients got nothing.")

    with pytest.raises(AirflowFailException) as raised, errors_for_airflow():
        raise err

    assert [
        "It refused.",
        "3 recipients got nothing.",
        "It says why.",
        "- Wait.",
        "  row 7: too long",
    ] == str(raised.value).splitlines()


def test_where_an_error_came_from_is_logged_for_developers(caplog):
    """The level DEBUG shows the whole chain, down to the fault of a library."""
    caplog.set_level(logging.DEBUG, "airflow_provider_p2psms")

    with pytest.raises(AirflowException) as raised, errors_for_airflow():
        raise UnreachableError("No connection.") from ConnectionRefusedError()

    assert raised.value.__suppress_context__
    [record] = caplog.records
    assert (logging.DEBUG, UnreachableError) == (record.levelno, record.exc_info[0])
    assert isinstance(record.exc_info[1].__cause__, ConnectionRefusedError)


def test_other_errors_pass():
    """What is not of this package stays as it is."""
    with pytest.raises(KeyError), errors_for_airflow():
        raise KeyError
    with pytest.raises(AirflowException), errors_for_airflow():
        raise P2PSMSError
