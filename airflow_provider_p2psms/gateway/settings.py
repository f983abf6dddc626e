"""
What a connection says about the gateway: base address, token and options, read once and checked.

Knows the field names of an Airflow connection, but not Airflow; what its values mean for rows (region,
staging numbers) is left to those who use them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from airflow_provider_p2psms.errors import InvalidMessageError, lay_out

EXTRAS = (
    "allow_http",
    "allowed_recipients",
    "ca_bundle",
    "connect_timeout",
    "from_number",
    "notifier_recipients",
    "notifier_text",
    "outbox_url",
    "proxy",
    "read_timeout",
    "redirect_to",
    "region",
    "report_lag",
    "requests_per_second",
    "witness_recipient",
)
_LONGEST_TIMEOUT_S, _LONGEST_REPORT_LAG_S = 3600, 7 * 86_400
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """
    One account at one gateway.

    ``base_url`` ends before ``/api`` and has no trailing slash. Timeouts are in seconds.
    ``allowed_recipients`` and ``redirect_to`` are as typed: numbers that staging may reach. ``outbox_url`` is
    the page that shows an ``{outbox_id}`` to people. ``report_lag_s`` is the user's word that the reports
    show everything after that many seconds; ``None``: no such word. ``witness_recipient`` is the user's own
    number, as typed; a scheduled message to it proves that a report is current. ``notifier_recipients`` (as
    typed) and ``notifier_text`` (a template) are the defaults of notices about events.
    """

    base_url: str
    token: str = field(repr=False)
    from_number: str | None = None
    region: str = "IR"
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    requests_per_second: float | None = None
    proxy: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    allowed_recipients: tuple[str, ...] = field(default=(), repr=False)
    redirect_to: str | None = field(default=None, repr=False)
    outbox_url: str | None = None
    report_lag_s: float | None = None
    witness_recipient: str | None = field(default=None, repr=False)
    notifier_recipients: tuple[str, ...] = field(default=(), repr=False)
    notifier_text: str | None = field(default=None, repr=False)

    @property
    def exchange_s(self) -> float:
        """How long a request may take at most, from the search for a connection to the answer's last byte."""
        return self.connect_timeout_s + self.read_timeout_s

    @property
    def is_loopback(self) -> bool:
        """Whether the gateway runs on this machine, as the sandbox does."""
        return _is_loopback(urlsplit(self.base_url).hostname)


def parse_settings(
    *,
    host: str | None,
    password: str | None,
    login: str | None = None,
    schema: str | None = None,
    port: int | None = None,
    extra: Mapping[str, object] | None = None,
) -> GatewaySettings:
    """
    Read the fields of a connection.

    ``host`` is the base address with or without scheme and path. In a connection URI the path arrives as
    ``schema``. Without a scheme it is https, and http on loopback, where the sandbox lives.

    :raises InvalidMessageError: a field is missing, unknown or unusable; the text names it, never its value.
    """
    known = _known_extras(extra or {})
    allow_http = _boolean(known, "allow_http")
    return GatewaySettings(
        base_url=build_base_url(host, schema=schema, port=port, allow_http=allow_http),
        token=_token(password, login),
        from_number=_text(known, "from_number"),
        region=(_text(known, "region") or "IR").upper(),
        connect_timeout_s=_seconds(known, "connect_timeout", at_most=_LONGEST_TIMEOUT_S) or 10.0,
        read_timeout_s=_seconds(known, "read_timeout", at_most=_LONGEST_TIMEOUT_S) or 60.0,
        requests_per_second=_rate(known, "requests_per_second"),
        proxy=_text(known, "proxy"),
        ca_bundle=_text(known, "ca_bundle"),
        allowed_recipients=_texts(known, "allowed_recipients"),
        redirect_to=_text(known, "redirect_to"),
        outbox_url=_outbox_url(known),
        report_lag_s=_seconds(known, "report_lag", at_most=_LONGEST_REPORT_LAG_S),
        witness_recipient=_text(known, "witness_recipient"),
        notifier_recipients=_texts(known, "notifier_recipients"),
        notifier_text=_text(known, "notifier_text"),
    )


def build_base_url(
    host: str | None, *, schema: str | None = None, port: int | None = None, allow_http: bool = False
) -> str:
    """
    Return the address to which ``/api/…`` is added: ``…/v1`` and ``…/v1/api`` give the same.

    :raises InvalidMessageError: no host, parts that do not belong there, or plain http beyond this machine.
    """
    if not (host or "").strip():
        raise InvalidMessageError(
            "The connection has no Base URL (host), e.g. https://edge.ippanel.com/v1. Fill it in."
        )
    url = _split(str(host).strip(), schema=(schema or "").strip("/ "))
    if url.scheme not in {"https", "http"}:
        raise InvalidMessageError(f"The Base URL starts with {url.scheme}://; use https://.")
    if url.username or url.password or url.query or url.fragment:
        raise InvalidMessageError(
            "The Base URL holds a user, a query or a fragment; leave them out. The token is the password."
        )
    if url.scheme == "http" and not (allow_http or _is_loopback(url.hostname)):
        raise InvalidMessageError(
            "The Base URL is plain http: token and messages would travel readable. Use https, or set "
            "allow_http to true in the connection's extra if the network between is yours."
        )
    netloc = url.netloc if port is None or url.port else f"{url.netloc}:{port}"
    path = url.path.rstrip("/").removesuffix("/api")
    return f"{url.scheme}://{netloc}{path}"


def _split(host: str, *, schema: str) -> SplitResult:
    # In `p2psms://:TOKEN@host/v1` Airflow hands the path over as the schema; in the habit of its HTTP
    # connections a schema is the scheme.
    scheme, path = (schema, "") if schema in {"http", "https"} else ("", schema)
    if "://" not in host:
        at_home = _is_loopback(_parse_url(f"//{host}").hostname)
        host = f"{scheme or ('http' if at_home else 'https')}://{host}"
    return _parse_url(f"{host.rstrip('/')}/{path}" if path else host)


def _parse_url(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        named = bool(url.hostname) and url.port != 0
    except ValueError:  # brackets that do not match, or a port that is none
        named = False
    if not named:
        raise InvalidMessageError(
            "The Base URL has no host name, or its port is not a number. It looks like https://edge.ippanel.com/v1."
        )
    return url


def _is_loopback(hostname: str | None) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ip_address(hostname or "").is_loopback
    except ValueError:
        return False


def _token(password: str | None, login: str | None) -> str:
    token = (password or "").strip()
    if not token:
        where = " It stands in Login; move it to Password." if login else " Fill in Password."
        raise InvalidMessageError(f"The connection has no API token.{where}")
    if not (token.isascii() and token.isprintable()):
        raise InvalidMessageError("The API token holds characters that no token has; copy it again.")
    return token


def _known_extras(extra: Mapping[str, object]) -> dict[str, object]:
    unknown = sorted(set(extra) - set(EXTRAS))
    if unknown:
        raise InvalidMessageError(
            lay_out(
                f"The connection's extra has unknown names: {', '.join(unknown)}.",
                f"Known are: {', '.join(EXTRAS)}.",
                options=("Correct these names in the connection, or remove them.",),
            )
        )
    # The connection form stores a field that was left empty as null or "".
    return {name: value for name, value in extra.items() if value is not None and value != ""}


def _text(extra: Mapping[str, object], name: str) -> str | None:
    value = extra.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidMessageError(f"The connection's extra {name} is not text. Put it in quotes.")
    if not value.strip():
        raise _blank(name)
    return value.strip()


def _blank(name: str) -> InvalidMessageError:
    # To read it as "not set" would turn a half-written staging connection into one that texts everybody.
    return InvalidMessageError(f"The connection's extra {name} is empty. Write a value, or remove {name}.")


def _outbox_url(extra: Mapping[str, object]) -> str | None:
    url = _text(extra, "outbox_url")
    if url and not url.startswith(("https://", "http://")):
        raise InvalidMessageError(
            "The connection's extra outbox_url is not the address of a page, such as "
            "https://panel.example.com/outbox/{outbox_id}."
        )
    return url


def _texts(extra: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = extra.get(name, [])
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise InvalidMessageError(f"The connection's extra {name} is not a list of texts.")
    texts = tuple(item.strip() for item in items if item.strip())
    if name in extra and not texts:
        raise _blank(name)
    return texts


def _boolean(extra: Mapping[str, object], name: str) -> bool:
    value = extra.get(name, False)
    lowered = str(value).strip().lower()
    if lowered not in _TRUE | _FALSE:
        raise InvalidMessageError(f"The connection's extra {name} must be true or false.")
    return lowered in _TRUE


def _seconds(extra: Mapping[str, object], name: str, *, at_most: int) -> float | None:
    if name not in extra:
        return None
    seconds = _read_positive(extra[name], at_most=at_most)
    if seconds is None:
        raise InvalidMessageError(
            f"The connection's extra {name} must be a number of seconds up to {at_most}. Write a number "
            "above 0, or leave the extra out."
        )
    return seconds


def _rate(extra: Mapping[str, object], name: str) -> float | None:
    if name not in extra:
        return None
    rate = _read_positive(extra[name], at_most=10_000)
    if rate is None:
        raise InvalidMessageError(
            f"The connection's extra {name} must be a number of requests, such as 5 or 0.5."
        )
    return rate


def _read_positive(value: object, *, at_most: float) -> float | None:
    """Return a number above 0, or the number that a text holds; ``None`` for anything else."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if 0 < number <= at_most and not isinstance(value, bool) else None
