"""Where tasks get their hook from, so that a subclass can hand in its own."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_p2psms.hooks.sms import SMSHook


class HasSMSHook:
    """Gives a task its hook; a part of operators, before Airflow's base class."""

    p2psms_conn_id: str

    @cached_property
    def hook(self) -> SMSHook:
        """The hook of ``p2psms_conn_id``. A subclass may return another ``SMSHook``."""
        from airflow_provider_p2psms.hooks.sms import SMSHook

        return SMSHook(self.p2psms_conn_id)
