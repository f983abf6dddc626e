"""The addresses of this machine, for the greeting of a sandbox that listens on all interfaces."""

import contextlib
import ipaddress
import socket

# An address for documentation: connecting a UDP socket to it chooses a route and sends nothing.
_ANYWHERE = ("192.0.2.1", 9)


def own_addresses() -> list[str]:
    """Return the IPv4 addresses of this machine, that of its usual route first; none of loopback."""
    found: list[str] = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ANYWHERE)
        found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        infos = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_STREAM)
        found += [str(address[0]) for *_, address in infos]
    return [host for host in dict.fromkeys(found) if not ipaddress.ip_address(host).is_loopback]
