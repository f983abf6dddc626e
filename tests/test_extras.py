"""Without the extras: what needs one names it, and nothing else fails."""

import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_p2psms

PACKAGE = Path(airflow_provider_p2psms.__file__).parent
HINT = "pip install 'airflow-provider-p2psms[sandbox]'"
SANDBOX = ("starlette", "uvicorn", "python_multipart")
TESTS = """
def test_of_somebody(): pass
def test_that_sends(p2psms_sandbox): pass
"""


def python(code: str, *missing: str, cwd: Path | None = None) -> tuple[int, str]:
    """Run code in an interpreter that has no such packages or modules; give its exit code and output."""
    without = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if any(f'{{name}}.'.startswith(f'{{each}}.') for each in {missing!r}):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", without + code], capture_output=True, text=True, check=False, cwd=cwd
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.airflow
def test_every_module_imports_without_pytest():
    """A check that imports the whole package does not need what only tests need."""
    code, output = python(
        f"import importlib\nfor name in {module_names()!r}: importlib.import_module(name)", "pytest"
    )

    assert 0 == code, output


def module_names() -> list[str]:
    files = [file.relative_to(PACKAGE.parent) for file in sorted(PACKAGE.rglob("*.py"))]
    names = [".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files]
    return [name for name in names if not name.endswith("__main__")]


def test_a_test_run_needs_no_extra(tmp_path):
    """The pytest plugin breaks no run; the test that asks for the sandbox learns which extra it needs."""
    (tmp_path / "test_somebody.py").write_text(TESTS, "utf-8")

    code, output = python(
        "import pytest; sys.exit(pytest.main(['-p', 'no:cacheprovider', 'test_somebody.py']))",
        *SANDBOX,
        cwd=tmp_path,
    )

    assert 1 == code
    assert "1 passed, 1 error" in output
    assert HINT in output


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["sandbox"], 1, HINT),
        (["sandbox", "--help"], 0, "--outbox-suffix"),
        (["check", "rows.csv", "--offline"], 0, "good"),
        (["ledger", "list", "."], 0, "0 ledgers"),
        (["verify", "--help"], 0, "--to"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_need_only_their_own_extra(arguments, code, told, tmp_path):
    """`p2psms sandbox` names its extra in one line; the other commands need none."""
    (tmp_path / "rows.csv").write_text("recipient,message\n0912 000 0001,Hello\n", "utf-8")

    ended, output = python(
        f"from airflow_provider_p2psms.cli import main; sys.exit(main({arguments!r}))", *SANDBOX, cwd=tmp_path
    )

    assert code == ended, output
    assert told in output
    assert "Traceback" not in output


@pytest.mark.parametrize("missing", SANDBOX)
def test_each_part_of_the_extra_is_asked_for_at_once(missing):
    """With one of its libraries gone the sandbox does not start, rather than fail at an upload."""
    code, output = python(
        "from airflow_provider_p2psms.cli import main; sys.exit(main(['sandbox']))", missing
    )

    assert 1 == code
    assert f"needs {missing}" in output


@pytest.mark.airflow
def test_a_query_names_its_extra(monkeypatch):
    """Without common.sql the task fails before anything is sent, and says what to install."""
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", "p2psms://:token@127.0.0.1:1/v1")
    code, output = python(
        "from airflow_provider_p2psms.transfers.sql_to_sms import SQLToSMSOperator\n"
        "send = SQLToSMSOperator(task_id='t', conn_id='db', sql='SELECT 1', from_number='+983000505')\n"
        "send.execute({})",
        "airflow.providers.common.sql.hooks",  # Airflow itself asks for the provider where its metadata is
    )

    assert 1 == code
    error, action = output.splitlines()[-2:]
    assert "AirflowFailException" in error, output
    assert "apache-airflow-providers-common-sql" in error
    assert "pip install 'airflow-provider-p2psms[sql]'" in action
