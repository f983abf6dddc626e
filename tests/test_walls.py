"""The rooms stand alone: core without Airflow, sandbox without the gateway, and DAG files stay light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_p2psms

PACKAGE = Path(airflow_provider_p2psms.__file__).parent
EXAMPLES = PACKAGE.parent / "example_dags"
ROOT = Path(__file__).parents[1]
CORE = ("rows", "gateway", "ledger", "sending", "delivery", "verifying", "sandbox")

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
    return done.stdout.strip()


def test_core_rooms_work_without_airflow():
    """Every module of the core imports on a machine that has no Airflow."""
    names = ", ".join(["airflow_provider_p2psms.errors", *modules(*CORE)])

    python(f"import sys; sys.modules['airflow'] = None; import {names}")


@pytest.mark.parametrize(
    "files",
    [PACKAGE.rglob("*.py"), ROOT.glob("tests/**/*.py"), [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]],
    ids=["package", "tests", "docs"],
)  # fmt: skip
def test_the_names_of_common_compat_are_not_taken(files):
    """The module `sdk` of common-compat is missing where Airflow's constraints pin an older one."""
    package = "airflow.providers.common.compat"
    taking = [
        file.name
        for file in sorted(files)
        if re.search(rf"(from {package} import sdk|{package}\.sdk)\b", file.read_text(encoding="utf-8"))
    ]

    assert [] == taking


LOAD_ALL = """
import importlib, warnings
import airflow
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from airflow_provider_p2psms import airflow_compat
    for name in airflow_compat.__all__:
        getattr(airflow_compat, name)
    airflow_compat.lineage()
    airflow_compat.stats()
    for module in {modules!r}:
        importlib.import_module(module)
ours = [each for each in caught if airflow.__version__ >= "3.2" or each.filename.startswith({package!r})]
print("warnings:", *(f"{{each.filename}}:{{each.lineno}} {{each.message}}" for each in ours), sep="\\n")
"""


@pytest.mark.airflow
def test_no_name_is_taken_from_where_it_is_deprecated():
    """What the package takes from Airflow comes without a warning; since Airflow 3.2 also what that loads."""
    rooms = sorted(each.name for each in PACKAGE.iterdir() if each.is_dir() and each.name[0] != "_")
    told = python(LOAD_ALL.format(modules=modules(*rooms), package=str(PACKAGE)))

    assert "" == told.rpartition("warnings:")[2].strip()


@pytest.mark.parametrize("file", sorted((PACKAGE / "sandbox").rglob("*.py")), ids=lambda file: file.name)
def test_the_sandbox_does_not_know_the_gateway(file):
    """The sandbox reads requests by itself, so that it and the client cannot be wrong together."""
    statements = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert [statement for statement in statements if "gateway" in statement] == []


# Runs each code in a fork of an interpreter that has loaded Airflow: a second of work is done once.
IN_FORKS = """
import os, sys
try:
    import airflow.sdk
except ImportError:
    import airflow.models.dag
from airflow_provider_p2psms.airflow_compat import BaseOperator, BaseSensorOperator
BaseOperator(task_id="b"), BaseSensorOperator(task_id="c")
before = set(sys.modules)
for code in {codes!r}:
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0, code
    else:
        exec(code)
        print(*sorted(set(sys.modules) - before), flush=True)
        os._exit(0)
"""


def loaded_by(*codes: str) -> list[set[str]]:
    """Name the modules that each code loads beyond what Airflow has loaded."""
    told = python(IN_FORKS.format(codes=codes)).splitlines()[-len(codes) :]
    return [set(line.split()) for line in told]


def test_a_dag_file_stays_light():
    """Importing what DAG files import loads nothing heavy beyond what Airflow has loaded."""
    names = modules("operators", "hooks", "sensors", "transfers", "decorators", "notifications")
    names += [f"example_dags.{file.stem}" for file in EXAMPLES.glob("p2psms_*.py")]
    loaded = loaded_by(*(f"import {name}" for name in names))

    assert {} == {name: found for name, each in zip(names, loaded, strict=True) if (found := HEAVY & each)}


# What a DAG file with a task of each kind may load of this package. The rest is for the run: hook, gateway,
# ledger, sending. The template is there because a text is checked at once; a task without one pays nothing.
FOR_A_SEND_TASK = {
    "airflow_compat",
    "choices",
    "errors",
    "operators",
    "operators.redacted_fields",
    "operators.hook",
    "operators.ledger",
    "operators.links",
    "operators.parameters",
    "operators.rendering",
    "operators.sms",
    "operators.files",
    "operators.templates",
    "operators.upstream",
    "paths",
    "provider_info",
}
FOR_A_TEXT = {
    "rows",
    "rows.cells",
    "rows.damage",
    "rows.invisible",
    "rows.redaction",
    "rows.rendering",
    "rows.stand_ins",
    "rows.template",
    "rows.sms_text",
    "rows.invalid_value",
    "rows.values",
}
FOR_A_SENSOR = {
    "airflow_compat",
    "choices",
    "errors",
    "operators",
    "operators.hook",
    "operators.redacted_fields",
    "operators.links",
    "operators.parameters",
    "operators.rendering",
    "operators.templates",
    "operators.error_mapping",
    "operators.upstream",
    "provider_info",
    "sensors",
    "sensors.sms",
}
FOR_A_TIME = {"sending", "sending.timing"}
SEND = "from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator as Send; Send(task_id='a', "
WAIT = "from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor as Wait; Wait(task_id='a', "


TASKS = {
    f"{SEND}messages=[])": FOR_A_SEND_TASK,
    f"{SEND}messages=[], text='Dear {{name}}')": FOR_A_SEND_TASK | FOR_A_TEXT,
    f"{SEND}messages=[], send_time='{{{{ data_interval_end }}}}')": FOR_A_SEND_TASK,
    f"{SEND}messages=[], send_time='2026-01-01 09:00:00')": FOR_A_SEND_TASK | FOR_A_TIME,
    f"{WAIT}message_outbox_ids=[1])": FOR_A_SENSOR,
}


@pytest.mark.airflow
def test_what_parsing_a_dag_file_loads():
    """A task that is only made loads these modules, no more, and nothing from other packages but Airflow."""
    for (task, allowed), loaded in zip(TASKS.items(), loaded_by(*TASKS), strict=True):
        ours = {name for name in loaded if name.startswith("airflow_provider_p2psms.")}
        others = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
        assert ours <= {f"airflow_provider_p2psms.{name}" for name in allowed}, task
        assert others <= {"airflow", "airflow_provider_p2psms"}, task
