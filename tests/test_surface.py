"""What others rely on: names, metadata, the files of the wheel, and errors that cross process borders."""

import importlib
import importlib.metadata
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_p2psms import __version__, errors
from airflow_provider_p2psms.provider_info import CONN_FIELDS, get_provider_info

ROOT = Path(__file__).parents[1]


def attribute(path: str) -> Any:
    """Import a dotted path to a module's attribute."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.airflow
def test_every_path_in_the_provider_info_leads_somewhere():
    """Airflow finds each module and class that it is told of."""
    info = get_provider_info()

    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                importlib.import_module(module)
    assert [importlib.import_module(entry["python-module"]) for entry in info["transfers"]]
    assert [attribute(path) for path in info["notifications"]]
    assert [attribute(entry["class-name"]) for entry in info["task-decorators"]]
    assert [attribute(path) for path in info["cli"]]
    for path in info["extra-links"]:
        assert attribute(path).name
    for connection in info["connection-types"]:
        hook = attribute(connection["hook-class-name"])
        assert (hook.conn_type, hook.hook_name) == (connection["connection-type"], connection["hook-name"])


def test_logo_and_guides_are_there():
    """What the provider info names below the project's folder is a file of it."""
    info = get_provider_info()
    [integration] = info["integrations"]
    paths = [
        integration["logo"],
        *integration["how-to-guide"],
        *(each["how-to-guide"] for each in info["transfers"]),
    ]

    assert [] == [path for path in paths if not path.startswith("/docs/") or not (ROOT / path[1:]).is_file()]


@pytest.mark.airflow
def test_the_provider_info_is_what_this_airflow_expects():
    """The installed Airflow's own schema accepts it."""
    import airflow
    import jsonschema

    schema = json.loads(Path(airflow.__file__).with_name("provider_info.schema.json").read_bytes())

    jsonschema.validate(get_provider_info(), schema)


# Airflow before 3.2 asks the hook only once in the life of a process, so the test asks in one of its own.
ASK_FOR_THE_FORM = """
import json
try:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
except ImportError:
    from airflow.providers_manager import ProvidersManager
    manager = ProvidersManager()
    behaviour = manager.field_behaviours["p2psms"]
    labels, hidden = behaviour["relabeling"], behaviour["hidden_fields"]
    extras = [name.split("__")[2] for name in manager.connection_form_widgets if "__p2psms__" in name]
else:
    [form] = [form for form in HookMetaService.hook_meta_data() if form.connection_type == "p2psms"]
    fields = {name: field for name, field in form.standard_fields.model_dump().items() if field}
    labels = {name: field["title"] for name, field in fields.items() if field["title"]}
    hidden = [name.removeprefix("url_") for name, field in fields.items() if field["hidden"]]
    extras = list(form.extra_fields)
print(json.dumps({"labels": labels, "hidden": sorted({*hidden} - {"extra"}), "extras": extras}))
"""


@pytest.mark.airflow
def test_airflow_shows_the_connection_form():
    """The form has every extra, relabels host and password, and hides what is not used."""
    if importlib.metadata.version("apache-airflow").startswith("3.0."):
        pytest.importorskip("flask_appbuilder", reason="Airflow 3.0 asks no hook without it")
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_THE_FORM], capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout.splitlines()[-1]) == {
        "labels": {"host": "Base URL", "password": "API token"},
        "hidden": ["login", "port", "schema"],
        "extras": list(CONN_FIELDS),
    }


def test_provider_info_is_read_without_weight():
    """Airflow reads the provider info at every start: only the package itself is imported for it."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from airflow_provider_p2psms.provider_info import get_provider_info\n"
        "get_provider_info(); new = set(sys.modules) - before\n"
        "print(*(name for name in new if name.partition('.')[0] not in sys.stdlib_module_names))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) == {"airflow_provider_p2psms", "airflow_provider_p2psms.provider_info"}


@pytest.mark.parametrize("group", ["apache_airflow_provider", "console_scripts", "pytest11"])
def test_entry_points_load(group):
    """Each entry point of the package leads to something that imports."""
    found = importlib.metadata.distribution("airflow-provider-p2psms").entry_points.select(group=group)

    assert [entry.load() for entry in found]


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path):
    """Types and the sandbox's pages are shipped; the tests and the example DAGs are not."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True
    )
    [wheel] = tmp_path.glob(f"airflow_provider_p2psms-{__version__}-*.whl")

    names = zipfile.ZipFile(wheel).namelist()

    info = f"airflow_provider_p2psms-{__version__}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"airflow_provider_p2psms", info}
    assert "airflow_provider_p2psms/py.typed" in names
    assert {f"airflow_provider_p2psms/sandbox/outbox.{kind}" for kind in ("html", "css", "js")} <= set(names)
    assert f"{info}/licenses/LICENSE" in names


FULL_ERRORS = [
    errors.P2PSMSError("text"),
    errors.InvalidMessageError(
        "text", problems=(errors.RowProblem(row=1, column="c", value="", reason="r", key="k"),), count=1
    ),
    errors.UnreachableError("text"),
    errors.GatewayRefusedError(
        "text",
        http_status=422,
        message_code="400-2",
        gateway_message="m",
        field_errors={"f": ("e",)},
        retry_after_s=1.5,
    ),
    errors.AuthenticationError("text", http_status=401),
    errors.OutcomeUnknownError("text", http_status=500, outbox_ids=(1, 2), said_taken=True),
    errors.UnsettledError("text"),
    errors.LedgerError("text"),
    errors.ReplacedError("text"),
]


@pytest.mark.parametrize("error", FULL_ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling(error):
    """Airflow hands errors from process to process: nothing they know is lost."""
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_every_error_is_tried():
    """A new error class does not miss the test above."""
    classes = {thing for thing in vars(errors).values() if isinstance(thing, type)}

    assert {type(error) for error in FULL_ERRORS} == {
        one for one in classes if issubclass(one, errors.P2PSMSError)
    }
