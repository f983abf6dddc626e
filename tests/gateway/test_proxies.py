"""Proxies that the environment names: on the way to a gateway elsewhere, never on the way to this machine."""

import pytest

from airflow_provider_p2psms.errors import UnreachableError
from tests.gateway.conftest import MakeClient, StartGateway, answer, http
from tests.gateway.test_faults import IDS, send

NOBODY = "http://127.0.0.1:1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached_without(client: MakeClient, scripted: StartGateway, monkeypatch, host):
    """A sandbox on this machine answers, whatever proxy the environment names."""
    gateway = scripted(answer(http(200, IDS)))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, NOBODY)

    send(client(f"http://{host}:{gateway.port}/v1"))

    assert 1 == len(gateway.requests)


@pytest.mark.parametrize(("no_proxy", "is_asked"), [("", True), ("gateway.invalid", False)])
def test_a_gateway_elsewhere_is_reached_through_it(
    client: MakeClient, scripted: StartGateway, monkeypatch, no_proxy, is_asked
):
    """`https_proxy` and `no_proxy` of the environment count."""
    proxy = scripted(answer(http(407, b"")))
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", no_proxy)

    with pytest.raises(UnreachableError):
        send(client("https://gateway.invalid/v1"))

    assert is_asked == bool(proxy.requests)
