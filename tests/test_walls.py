"""The rooms stand alone: core without Airflow, sandbox without the gateway, and DAG files stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_p2psms

PACKAGE = Path(airflow_provider_p2psms.__file__).parent
CORE = ("rows", "gateway", "ledger", "sending", "delivery", "sandbox")

# What a DAG file must not pay for at every parse: Airflow reads it every 30 seconds.
HEAVY = {
    "pandas",
    "polars",
    "phonenumbers",
    "psycopg",
    "psycopg2",
    "python_calamine",
    "requests",
    "starlette",
    "uvicorn",
}


def modules(*rooms: str) -> list[str]:
    """Name every module in these rooms."""
    files = [file for room in rooms for file in sorted((PACKAGE / room).rglob("*.py"))]
    names = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def python(code: str) -> str:
    """Run code in a fresh interpreter and give what it prints last."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().rpartition("\n")[2]


def test_core_rooms_work_without_airflow():
    """Every module of the core imports on a machine that has no Airflow."""
    names = ", ".join(["airflow_provider_p2psms.errors", *modules(*CORE)])

    python(f"import sys; sys.modules['airflow'] = None; import {names}")


@pytest.mark.parametrize("file", sorted((PACKAGE / "sandbox").rglob("*.py")), ids=lambda file: file.name)
def test_the_sandbox_does_not_know_the_gateway(file):
    """The sandbox reads requests by itself, so that it and the client cannot be wrong together."""
    statements = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert [statement for statement in statements if "gateway" in statement] == []


@pytest.mark.parametrize(
    "name",
    modules("operators", "hooks", "sensors", "transfers", "decorators", "notifications", "example_dags"),
)
def test_a_dag_file_stays_light(name):
    """Importing what DAG files import loads nothing heavy beyond what Airflow has loaded."""
    loaded = python(
        "import sys\n"
        "try:\n    import airflow.sdk\nexcept ImportError:\n    import airflow.models.dag\n"
        "before = set(sys.modules)\n"
        f"import {name}\n"
        f"print(' '.join({HEAVY!r} & (set(sys.modules) - before)))"
    )

    assert loaded == ""
