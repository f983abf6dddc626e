"""
What Airflow is told about this package, above all how the form of a ``p2psms`` connection looks.

Airflow reads this at every start, so nothing is imported here but the version. Airflow 3.2 and newer draw the
form from `get_provider_info` without importing the hook. Older ones ask the hook, which passes
`ui_field_behaviour` and `connection_form_widgets` on; both are made from the same two dictionaries.
"""

from typing import Any

from airflow_provider_p2psms import __version__

INTEGRATION = "P2P SMS"
DEFAULT_CONN_ID = "p2psms_default"

# The extras of a connection, all optional, in the order of the form. The shape is Airflow's "conn-fields".
CONN_FIELDS: dict[str, dict[str, Any]] = {
    "from_number": {
        "label": "Sending line",
        "schema": {"type": ["string", "null"]},
        "description": "The line that messages come from unless a task names another, e.g. +983000505.",
    },
    "region": {
        "label": "Region",
        "schema": {"type": ["string", "null"]},
        "description": "Country of the numbers that are written without a country code, as two letters. "
        "Empty: IR.",
    },
    "connect_timeout": {
        "label": "Connect timeout",
        "schema": {"type": ["integer", "null"]},
        "description": "Seconds to wait for a connection to the gateway. Empty: 10.",
    },
    "read_timeout": {
        "label": "Read timeout",
        "schema": {"type": ["integer", "null"]},
        "description": "Seconds to wait for the gateway's answer. Empty: 60.",
    },
    "requests_per_second": {
        "label": "Requests a second",
        "schema": {"type": ["string", "null"]},
        "description": "The most sends of a task in a second, such as 5 or 0.5. Empty: as many as go.",
    },
    "proxy": {
        "label": "Proxy",
        "schema": {"type": ["string", "null"]},
        "description": "Address of an HTTP proxy on the way to the gateway, e.g. http://proxy.example.com:3128.",
    },
    "ca_bundle": {
        "label": "CA bundle",
        "schema": {"type": ["string", "null"]},
        "description": "Path on the workers to a PEM file of certificate authorities to trust instead of the "
        "usual ones. TLS is always verified.",
    },
    "allow_http": {
        "label": "Allow plain HTTP",
        "schema": {"type": ["boolean", "null"], "default": False},
        "description": "Send token, numbers and texts unencrypted to a base URL that starts with http://. "
        "Not needed for a gateway on this machine.",
    },
    "allowed_recipients": {
        "label": "Allowed recipients",
        "schema": {"type": ["string", "null"]},
        "description": "For staging: numbers, separated by commas. No other number gets a message.",
    },
    "redirect_to": {
        "label": "Redirect to",
        "schema": {"type": ["string", "null"]},
        "description": "For staging: one number that gets every message instead of its recipient.",
    },
    "outbox_url": {
        "label": "Outbox page",
        "schema": {"type": ["string", "null"]},
        "description": "Address of the page that shows an {outbox_id} to people, for a link at "
        "the task, e.g. https://panel.example.com/outbox/{outbox_id}.",
    },
    "report_lag": {
        "label": "Report lag",
        "schema": {"type": ["integer", "null"]},
        "description": "Your own word that the gateway's reports show every send after this many seconds. A "
        "message in doubt that they do not show by then is sent again. Empty: never for that reason alone.",
    },
    "witness_recipient": {
        "label": "Witness recipient",
        "schema": {"type": ["string", "null"]},
        "description": "Your own number. Where it has to know whether the gateway's reports are current, a "
        "task schedules a message to it, and cancels the message. Empty: it does not.",
    },
    "notifier_recipients": {
        "label": "Notifier recipients",
        "schema": {"type": ["string", "null"]},
        "description": "Numbers, separated by commas, that SMSNotifier alerts unless it names others.",
    },
    "notifier_text": {
        "label": "Notifier text",
        "schema": {"type": ["string", "null"]},
        "description": "The text of SMSNotifier unless it has its own, as a Jinja template. Empty: one "
        "sentence about the event.",
    },
}

# "extra" is covered by the fields above. Airflow 3 shows its JSON all the same, in a section of its own.
UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "login", "port", "extra"],
    "relabeling": {"host": "Base URL", "password": "API token"},
    "placeholders": {"host": "https://edge.ippanel.com/v1", "password": "The token of the gateway account"},
}


def get_provider_info() -> dict[str, Any]:
    """Describe the package to Airflow; the entry point ``apache_airflow_provider`` leads here."""
    return {
        "package-name": "airflow-provider-p2psms",
        "name": INTEGRATION,
        "description": "Send each customer their own text message through an SMS gateway: "
        "never twice, never lost in silence.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://ippanelcom.github.io/Edge-Document/docs/",
                "how-to-guide": [
                    "/docs/start.md",
                    "/docs/connection.md",
                    "/docs/operators.md",
                    "/docs/rows.md",
                    "/docs/delivery.md",
                    "/docs/cancel.md",
                    "/docs/notify.md",
                    "/docs/function.md",
                ],
                "logo": "/docs/images/logo.svg",
                "tags": ["service"],
            },
        ],
        "hooks": [
            {"integration-name": INTEGRATION, "python-modules": ["airflow_provider_p2psms.hooks.sms"]},
        ],
        "operators": [
            {
                "integration-name": INTEGRATION,
                "python-modules": [
                    "airflow_provider_p2psms.operators.sms",
                    "airflow_provider_p2psms.transfers.shards",
                    "airflow_provider_p2psms.transfers.query_shards",
                ],
            },
        ],
        "transfers": [
            {
                "source-integration-name": "Common SQL",
                "target-integration-name": INTEGRATION,
                "how-to-guide": "/docs/query.md",
                "python-module": "airflow_provider_p2psms.transfers.sql_to_sms",
            },
        ],
        "notifications": ["airflow_provider_p2psms.notifications.sms.SMSNotifier"],
        "task-decorators": [
            {"name": "p2psms", "class-name": "airflow_provider_p2psms.decorators.sms.p2psms_task"},
        ],
        "sensors": [
            {"integration-name": INTEGRATION, "python-modules": ["airflow_provider_p2psms.sensors.sms"]},
        ],
        "triggers": [
            {"integration-name": INTEGRATION, "python-modules": ["airflow_provider_p2psms.triggers.sms"]},
        ],
        # Read by Airflow 3.2 and newer.
        "cli": ["airflow_provider_p2psms.airflow_cli.get_cli_commands"],
        "extra-links": ["airflow_provider_p2psms.operators.links.OutboxLink"],
        "config": {
            "p2psms": {
                "description": "Settings of the SMS provider.",
                "options": {
                    "ledger_path": {
                        "description": "Where the ledgers of sends lie: the absolute path of a folder that "
                        "all workers share, or any object storage that is strongly consistent, as a URI. "
                        "Empty: Airflow's task state store where there is one (3.3 and newer), else a "
                        "folder in AIRFLOW_HOME, for one machine. Notifiers keep theirs here, or else in "
                        "that folder.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "s3://aws_default@bucket/p2psms",
                        "default": "",
                    },
                },
            },
        },
        "connection-types": [
            {
                "connection-type": "p2psms",
                "hook-class-name": "airflow_provider_p2psms.hooks.sms.SMSHook",
                "hook-name": "P2P SMS gateway",
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": CONN_FIELDS,
            },
        ],
    }


def ui_field_behaviour() -> dict[str, Any]:
    """Give what ``get_ui_field_behaviour`` of the hook returns: the same, under Airflow's older key."""
    return {
        "hidden_fields": UI_FIELD_BEHAVIOUR["hidden-fields"],
        "relabeling": UI_FIELD_BEHAVIOUR["relabeling"],
        "placeholders": UI_FIELD_BEHAVIOUR["placeholders"],
    }


def connection_form_widgets() -> dict[str, Any]:
    """
    Give what ``get_connection_form_widgets`` of the hook returns: one WTForms field an extra.

    :raises ImportError: Flask-AppBuilder or WTForms are missing. Airflow 3 puts stand-ins in their place
        while it asks, which is why they are imported here and by these paths.
    """
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget  # noqa: PLC0415
    from wtforms import BooleanField, IntegerField, StringField  # noqa: PLC0415
    from wtforms.validators import Optional  # noqa: PLC0415

    field_classes = {"string": StringField, "integer": IntegerField, "boolean": BooleanField}

    def widget(spec: dict[str, Any]) -> Any:
        kind = spec["schema"]["type"][0]
        return field_classes[kind](
            spec["label"],
            validators=[Optional()],
            description=spec["description"],
            widget=None if kind == "boolean" else BS3TextFieldWidget(),
        )

    return {name: widget(spec) for name, spec in CONN_FIELDS.items()}
