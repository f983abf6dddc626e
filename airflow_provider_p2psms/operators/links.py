"""The link from a task to the page that shows its messages, where the connection names one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_p2psms.airflow_compat import BaseOperatorLink, xcom_value

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_p2psms.hooks.sms import SMSHook

# Where Airflow 3 itself keeps the address of this link.
_KEY = "_link_OutboxLink"


class OutboxLink(BaseOperatorLink):
    """
    The outbox page of a task's first message.

    Its address is worked out when the task runs (``record_outbox_link``), so that Airflow's pages need
    neither the connection nor this package's core.
    """

    name = "SMS outbox"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address that the task recorded; empty where it recorded none."""
        return xcom_value(ti_key, _KEY) or ""


def record_outbox_link(task: Any, context: Context, hook: SMSHook, outbox_ids: Sequence[int]) -> None:
    """Record the address of the outbox page by the connection's extra ``outbox_url``, if there is one."""
    url = hook.settings.outbox_url if outbox_ids else None
    if not url and not getattr(task, "deferrable", False):
        # At its end Airflow would look for an address, report that there is none, and store that.
        task.operator_extra_links = ()
        return
    # A context made by hand, as in a test, may have no such task instance.
    if push := getattr(context.get("ti"), "xcom_push", None):
        # Also the empty one: a deferred task ends in another process, which looks for it.
        push(key=_KEY, value=url.replace("{outbox_id}", str(outbox_ids[0])) if url else "")
