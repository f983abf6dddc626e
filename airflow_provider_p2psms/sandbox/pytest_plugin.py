"""
The pytest fixture ``p2psms_sandbox``.

Every pytest run of every user loads this module, so it imports next to nothing.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_p2psms.sandbox import Sandbox


@pytest.fixture
def p2psms_sandbox(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Sandbox]":
    """
    Run a local gateway for one test, and let the connection ``p2psms_default`` lead to it.

    Messages are sent and delivered within a tenth of a second. Needs the extra ``[sandbox]``.
    """
    from airflow_provider_p2psms.sandbox import Sandbox  # noqa: PLC0415 - only who uses it pays for it

    with Sandbox(queue_s=0.05, delivery_s=0.05) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", sandbox.connection_uri)
        yield sandbox
