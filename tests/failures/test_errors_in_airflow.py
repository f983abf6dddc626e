"""The errors that people see most, as Airflow logs them: read in its log view, which does not wrap lines."""

import pickle

import pytest

from airflow_provider_p2psms.errors import LINE_WIDTH
from tests.conftest import AIRFLOW_VERSION, register, shorten_times
from tests.failures.dags.failures import NAMES, dag
from tests.failures.gateways import OLD_TOKEN, failing_gateways

pytestmark = pytest.mark.airflow

FAILING = sorted(set(dag.task_ids) - {"send", "alert"})
# What the view shows of an error's first line, behind the longest class name that Airflow gives it.
HEADLINE_WIDTH = LINE_WIDTH - len("AirflowFailException: ") + 10


@pytest.fixture(scope="module")
def errors(_one_api_server, airflow_database, tmp_path_factory):
    """Run all tasks once; give the exception that each ended with, as a failure callback gets it."""
    raised = {}

    def keep(context):
        raised[context["ti"].task_id] = context["exception"]

    for task in dag.tasks:
        task.on_failure_callback = [keep]
    with pytest.MonkeyPatch.context() as patch, failing_gateways(tmp_path_factory.mktemp("data")) as env:
        shorten_times(patch)
        for name, value in env.items():
            patch.setenv(name, value)
        register(dag)
        dag.test()
    if not raised and AIRFLOW_VERSION < "3.3":
        pytest.skip("dag.test() of this Airflow calls no callbacks")
    return raised


@pytest.fixture(params=FAILING)
def error(errors, request):
    """One of the errors."""
    return errors[request.param]


@pytest.mark.sampled(5)
def test_each_line_is_seen_whole(error):
    """No line is longer than what the log view shows, and the first one says in short what happened."""
    lines = str(error).splitlines()

    assert max(map(len, lines)) <= LINE_WIDTH, lines
    assert len(lines[0]) <= HEADLINE_WIDTH, lines[0]


def test_what_can_be_done_is_a_list(error):
    """Each error says what can be done, an action a line."""
    assert [line for line in str(error).splitlines() if line.startswith("- ")], error


def test_there_is_one_traceback(error):
    """Airflow shows no second traceback: no error of ours, nor of a library, stands behind the one shown."""
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


def test_nothing_private_is_shown(error):
    """No error holds a number, a name from a text, or a token."""
    for private in ("912000", "Dear", OLD_TOKEN, "sandbox-token", *NAMES):
        assert private not in str(error)


def test_an_error_survives_pickling(error):
    """An executor may hand it to another process."""
    assert str(error) == str(pickle.loads(pickle.dumps(error)))
