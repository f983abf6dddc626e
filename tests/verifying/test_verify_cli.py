"""How `p2psms verify` is called: options, the question, exit codes, and what its table looks like."""

import io
import json
import os
import pty
import subprocess
import sys

import pytest
from rich.cells import cell_len

from airflow_provider_p2psms.cli import main
from tests.verifying.conftest import OWN_NUMBER, StartSandbox, Verify, order_fault

PROGRAM = [sys.executable, "-c", "import sys; from airflow_provider_p2psms.cli import main; sys.exit(main())"]


def call(*arguments):
    return main(["verify", "--to", OWN_NUMBER, "--wait", "0.3", *arguments])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--yes", "--to", "123"), "--to, or a number in the connection, is no phone number"),
        (("--yes", "--connection", "NO_SUCH_NAME"), "There is no connection"),
        (("--yes", "--connection", "http://nowhere"), "not of type p2psms"),
        (("--yes", "--connection", "p2psms://:secret-token@localhost/v1"), "give --from-number"),
        (("--yes", "--json", "/no/such/folder/report.json"), "No such file"),
        ((), "no terminal to ask"),
    ],
    ids=str,
)
def test_a_wrong_call_sends_nothing(gateway: StartSandbox, capsys, arguments, words):
    """Exit code 2, the reason, and no request."""
    sandbox = gateway()

    assert 2 == call(*arguments)

    told = capsys.readouterr()
    assert words in told.err
    assert "secret-token" not in told.out + told.err
    assert [] == sandbox.requests


@pytest.mark.parametrize("seconds", ["-1", "1e9", "soon"])
def test_a_wrong_wait(capsys, seconds):
    """Argparse refuses a time that is none."""
    with pytest.raises(SystemExit) as exit_:
        call("--wait", seconds)

    assert 2 == exit_.value.code


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("allowed_recipients=09350000000", 2),
        ("allowed_recipients=09350000000,09121234567", 0),
        ("redirect_to=09350000000", 2),
        ("redirect_to=09121234567", 0),
    ],
)
def test_a_staging_connection_holds(gateway: StartSandbox, capsys, extra, code):
    """A connection that may reach certain numbers alone lets no other number through."""
    sandbox = gateway()

    assert code == call("--yes", "--connection", f"{sandbox.connection_uri}&{extra}")
    assert bool(sandbox.arrived) == (code == 0)


@pytest.mark.parametrize("name", ["MY_GATEWAY", "my_gateway"])
def test_the_connection_by_name(gateway: StartSandbox, monkeypatch, capsys, name):
    """A name is that of an environment variable, or of an Airflow connection in the environment."""
    sandbox = gateway()
    monkeypatch.delenv("AIRFLOW_CONN_P2PSMS_DEFAULT")
    monkeypatch.setenv("MY_GATEWAY", sandbox.connection_uri)
    monkeypatch.setenv("AIRFLOW_CONN_MY_GATEWAY", sandbox.connection_uri)

    assert 0 == call("--yes", "--connection", name)


def test_the_line_may_be_given(gateway: StartSandbox, verify: Verify):
    """--from-number wins over the connection's line."""
    done = verify(gateway(), "--from-number", "+981234567890")

    assert {"+981234567890"} == {each.from_number for each in done.sandbox.arrived}
    assert "+981234567890 is among" in done["account.lines"]["observed"]


def test_a_line_that_the_account_does_not_list(gateway: StartSandbox, verify: Verify):
    """A shared line is none of the account's; the report says so and goes on."""
    done = verify(gateway(any_line=True), "--from-number", "+989000")

    assert (0, "not observed") == (done.code, done["account.lines"]["result"])


def test_the_file_holds_the_report_and_the_table_is_printed(gateway: StartSandbox, tmp_path, capsys):
    """With --json FILE both are there, and say the same."""
    gateway()

    assert 0 == call("--yes", "--json", str(tmp_path / "report.json"))

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert "+••••••••••67" == report["recipient"]
    printed = capsys.readouterr().out
    assert all(key in printed for key in report["findings"])


def test_the_question_is_asked_on_a_terminal_alone(gateway: StartSandbox, monkeypatch, capsys):
    """What somebody types is read after the plan was told; everything but a yes is a no."""
    sandbox = gateway()
    for answer, code, sends in (("n\n", 1, 0), ("Y\n", 0, 6)):
        monkeypatch.setattr(sys, "stdin", Typed(answer))
        assert (code, sends) == (call(), sandbox.send_requests)
    assert "Nothing was sent." in capsys.readouterr().err


class Typed(io.StringIO):
    def isatty(self):
        return True


def at_terminal(answer, sandbox):
    """Run the command at a terminal, where somebody types an answer; return the exit code and the text."""
    ours, theirs = pty.openpty()
    command = [*PROGRAM, "verify", "--to", OWN_NUMBER, "--wait", "0.3"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        os.write(ours, answer)
        printed, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return process.returncode, printed


@pytest.mark.parametrize(("answer", "code", "arrived"), [(b"y\n", 0, 7), (b"\n", 1, 0), (b"no\n", 1, 0)])
def test_the_question(gateway: StartSandbox, answer, code, arrived):
    """It says what it sends and costs, asks, and sends only after a yes."""
    sandbox = gateway()

    ended, printed = at_terminal(answer, sandbox)

    assert (code, arrived) == (ended, len(sandbox.arrived))
    assert "This sends 6 to 9 messages from +983000505 to +••••••••••67" in printed
    assert "7 to 10 parts and cost 25,030 rial at most." in printed
    assert "The account's credit is 1,000,000,000 rial." in printed
    assert OWN_NUMBER[1:] not in printed


def test_a_credit_that_is_too_low(gateway: StartSandbox, verify: Verify):
    """The plan says so before anything is sent."""
    assert "The credit may not cover the cost." in verify(gateway(credit=10_000.0)).told


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("environment", "width"),
    [
        ({"COLUMNS": "80", "TERM": "xterm"}, 80),
        ({"COLUMNS": "120", "TERM": "xterm"}, 120),
        ({"TERM": "dumb"}, 80),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, 80),
        ({"COLUMNS": "60"}, 60),
    ],
    ids=str,
)
def test_the_table_fits(gateway: StartSandbox, environment, width):
    """No line is longer than the terminal, and nothing of the report is cut off."""
    gateway(outbox_suffix="\nلغو11", last_page_counted_by=10)
    others = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "FORCE_COLOR"}}

    printed = subprocess.run(
        [*PROGRAM, "verify", "--to", OWN_NUMBER, "--yes", "--wait", "0.3"],
        env=others | environment, check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip

    assert max(map(cell_len, plain(printed).splitlines())) <= width
    words = " ".join(plain(printed).replace("│", " ").replace("|", " ").replace("┃", " ").split())
    for key in ("report.text.line_end", "send.groups_order", "لغو11"):
        assert key in words
    assert "…" not in words.replace("…,", "")


def plain(text):
    """Return the text without colours."""
    return "".join(
        part.partition("m")[2] if place else part for place, part in enumerate(text.split("\x1b["))
    )


# --- what blocks


@pytest.mark.parametrize(
    ("page", "fault"), [("acl/auth/check_token", "refuse_401"), ("acl/auth/check_token", "502_html")]
)
def test_without_an_accepted_token_nothing_is_sent(gateway: StartSandbox, verify: Verify, page, fault):
    """Exit code 1, the reason, and no send."""
    sandbox = gateway()
    sandbox.order_fault(fault, path=f"/api/{page}", times=None)

    done = verify(sandbox)

    assert (1, 0) == (done.code, sandbox.send_requests)
    assert done.report["ended"].startswith("Nothing was sent.")
    assert "not asked" == done["send.groups"]["result"]


def test_a_blocked_account(gateway: StartSandbox, verify: Verify):
    """Nothing is sent from an account that may not send."""
    done = verify(gateway(send_block=True))

    assert (1, 0) == (done.code, done.sandbox.send_requests)
    assert "send_block" in done.report["ended"]


@pytest.mark.parametrize(
    ("page", "key"),
    [
        ("acl/auth/check_token", "account.token"),
        ("payment/credit/mine", "account.credit"),
        ("number/numbers", "account.lines"),
        ("send/calculate-price", "price"),
    ],
)
def test_a_page_that_is_missing_stops_nothing(gateway: StartSandbox, verify: Verify, page, key):
    """What the account does not say is reported; the sends are made all the same."""
    sandbox = gateway()
    sandbox.order_fault("refuse_404", path=f"/api/{page}", times=None)

    done = verify(sandbox)

    assert (0, 7, "differs") == (done.code, len(sandbox.arrived), done[key]["result"])


@pytest.mark.parametrize("fault", ["refuse_422", "502_html", "no_ids", "cut_before_answer"])
def test_a_first_message_that_is_not_taken_ends_it(gateway: StartSandbox, verify: Verify, fault):
    """It is never sent again, and nothing else leaves."""
    sandbox = gateway()
    order_fault(sandbox, fault, at="short")

    done = verify(sandbox)

    assert (1, 1) == (done.code, sandbox.send_requests)
    assert "The first message was not taken." in done.report["ended"]


@pytest.mark.parametrize(("at", "key"), [("groups", "send.groups"), ("file", "send.file")])
@pytest.mark.parametrize("fault", ["refuse_422", "502_html"])
def test_a_later_send_that_is_not_taken_is_reported(gateway: StartSandbox, verify: Verify, fault, at, key):
    """The others are made, the exit code is 1, and a file that was not taken is not sent again."""
    sandbox = gateway()
    order_fault(sandbox, fault, at=at)

    done = verify(sandbox)

    assert (1, "differs", set()) == (done.code, done[key]["result"], done.scheduled)
    assert done.report["ended"].startswith("The gateway did not take everything:")
    assert (5 if at == "file" else 6) == sandbox.send_requests
    assert "not observed" == done[f"{key}_order"]["result"]


@pytest.mark.parametrize(
    ("fault", "at", "key", "observed"),
    [
        ("one_id", "file", "send.file", "1 id for 2 rows."),
        ("too_many_ids", "groups", "send.groups", "4 ids for 3 groups."),
        ("zero_ids", "groups", "send.groups", "no message_outbox_ids that are positive numbers"),
        ("502_html", "file again", "repeat.file", "(HTTP 502, HTML)"),
        ("refuse_422", "short again", "repeat.groups", "The gateway refused (HTTP 422"),
    ],
)
def test_answers_that_do_not_add_up(gateway: StartSandbox, verify: Verify, fault, at, key, observed):
    """Ids that are too few, too many or none are reported, and the run goes on to its end."""
    sandbox = gateway(duplicate_window_s=0)
    order_fault(sandbox, fault, at=at)

    done = verify(sandbox)

    assert observed in done[key]["observed"]
    assert ("differs", True, set()) == (done[key]["result"], done.report["is_complete"], done.scheduled)
