"""Metrics that cannot be delivered."""

from airflow_provider_p2psms import airflow_compat
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox


class _Broken:
    def incr(self, *args, **kwargs):
        raise ConnectionError("a secret of the backend")


def test_a_broken_backend_breaks_no_send(p2psms_sandbox: Sandbox, monkeypatch, caplog):
    """What was sent is not failed by its metrics: the loss is logged, without the backend's words."""
    monkeypatch.setattr(airflow_compat, "stats", _Broken)
    operator = PeerToPeerSMSOperator(task_id="send", messages=[("09120000001", "hi")])

    assert 1 == operator.execute({})["accepted"]
    assert "metrics of this try are lost (ConnectionError)" in caplog.text
    assert "secret" not in caplog.text
