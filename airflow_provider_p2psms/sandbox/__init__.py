"""
A local SMS gateway that keeps the contract strictly, for development and for tests.

It reads requests by itself and never imports the client's room, so that client and gateway cannot be wrong
together. Nothing that it takes leaves the machine. Its needs are the extra ``[sandbox]``; this module imports
without them, and only the first use of a name below needs them.

**Magic recipients and texts** bring about what a real message may come to:

========================  ==============================================================
a number ending ``0003``  ends as not delivered (recipient status 3)
a number ending ``0004``  is blacklisted (recipient status 4)
``[[reject]]``            in a text: rejected by monitoring (state 3, with a comment)
``[[invalid]]``           in a text: recipients invalid (state 4)
``[[no-credit]]``         in a text: not enough credit (state 8)
``[[system-error]]``      in a text: system error, not sent (state 9)
========================  ==============================================================

**Faults** can be ordered by name, see :mod:`airflow_provider_p2psms.sandbox.faults`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_p2psms.sandbox.server import Sandbox
    from airflow_provider_p2psms.sandbox.tables import Arrived, NotedRequest

__all__ = ["Arrived", "NotedRequest", "Sandbox"]

_HOMES = {"Arrived": "tables", "NotedRequest": "tables", "Sandbox": "server"}


if not TYPE_CHECKING:  # to type checkers, the names above are all that there are

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        except ModuleNotFoundError as err:
            hint = f"the sandbox needs {err.name}: pip install 'airflow-provider-p2psms[sandbox]'"
            raise ModuleNotFoundError(hint, name=err.name) from err
