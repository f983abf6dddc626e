"""
The pytest fixture ``p2psms_sandbox``.

Every pytest run of every user loads this module, so it imports next to nothing. Tools that import all modules
of a package do so, too, where there is no pytest.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ModuleNotFoundError:
    # Nothing can ask for the fixture then.
    def fixture(function: Any) -> Any:
        """Return the function as it is."""
        return function

else:
    fixture = pytest.fixture  # type: ignore[assignment]

if TYPE_CHECKING:
    from airflow_provider_p2psms.sandbox import Sandbox


@fixture
def p2psms_sandbox(monkeypatch: "pytest.MonkeyPatch") -> "Iterator[Sandbox]":
    """
    Run a local gateway for one test, and let the connection ``p2psms_default`` lead to it.

    Messages are sent and delivered within a tenth of a second. Needs the extra ``[sandbox]``.
    """
    from airflow_provider_p2psms.sandbox import Sandbox  # noqa: PLC0415 - only who uses it pays for it

    with Sandbox(queue_s=0.05, delivery_s=0.05) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", sandbox.connection_uri)
        yield sandbox
