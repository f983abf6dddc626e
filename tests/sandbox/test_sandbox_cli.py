"""``p2psms sandbox`` as a process of its own."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import fields

import pytest

from airflow_provider_p2psms import cli
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.addresses import own_addresses
from airflow_provider_p2psms.sandbox.fault_words import FAULT_WORDS, MAGIC_WORDS
from airflow_provider_p2psms.sandbox.habits import Habits
from tests.sandbox.conftest import Asker

MODULE = [sys.executable, "-m", "airflow_provider_p2psms.sandbox"]


class Started:
    """A sandbox in a process, ready to answer."""

    token = "sandbox-token"

    def __init__(self, process, bound_port):
        self.process = process
        self.bound_port = bound_port


@pytest.fixture
def start(tmp_path):
    """Start the command line and wait for its port; every process is ended."""
    processes: list[subprocess.Popen[str]] = []

    def run(*arguments, command=MODULE):
        port_file = tmp_path / f"port-{len(processes)}"
        process = subprocess.Popen(
            [*command, "--port", "0", "--port-file", str(port_file), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return Started(process, int(port_file.read_text()))

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def end(process, number=signal.SIGTERM):
    """Signal a process; gives its exit code and what it printed."""
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_cleanly(number, start, tmp_path):
    """The greeting holds all that a developer needs; a signal ends it with 0 and removes the port file."""
    started = start()
    address = f"127.0.0.1:{started.bound_port}"

    code, out, err = end(started.process, number)

    assert (code, err) == (0, "")
    assert f"http://{address}/v1\n" in out
    uri = f"p2psms://:sandbox-token@{address}/v1?from_number=%2B983000505"
    assert f"export AIRFLOW_CONN_P2PSMS_DEFAULT='{uri}'\n" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_printed_curl_commands_work(start, asker: type[Asker]):
    """Both sends and the order can be pasted into a shell as they are printed."""
    started = start()
    commands: list[str] = []
    while len(commands) < 3:
        line = started.process.stdout.readline().strip()
        if line.startswith(("curl", "printf")):
            while line.endswith("\\"):
                line = line[:-1] + started.process.stdout.readline().strip()
            commands.append(line)

    answers = [
        subprocess.run(["sh", "-c", f"{command} -sS"], capture_output=True, check=True)
        for command in commands
    ]

    *sends, order = [json.loads(answer.stdout) for answer in answers]
    assert [send["meta"]["status"] for send in sends] == [True, True]
    assert (order["messages"], order["faults"][0]["fault"]) == (2, "cut_before_answer")


def test_its_options_reach_the_sandbox(start, asker: type[Asker], tmp_path):
    """Faults, limits and the database are taken from the command line; another run finds the file again."""
    database = str(tmp_path / "sandbox.sqlite")
    started = start(
        "--database", database, "--fault", "500_before:2", "--fault", "refuse_403", "--no-reports"
    )
    ask = asker(started)

    assert [ask.send(text).status for text in "abcd"] == [500, 500, 403, 200]
    assert ask.post("report/new_list", {}).status == 404
    assert end(started.process)[0] == 0

    again = start("--database", database, "--duplicate-window-s", "0", "--send-block")
    assert asker(again)("GET", "/sandbox/state").json["messages"] == 1
    assert asker(again).send("x").status == 403
    assert end(again.process)[0] == 0


def test_habits_are_options(start, asker: type[Asker]):
    """Texts, choices, switches and numbers reach the reports."""
    started = start(
        *("--outbox-suffix", "لغو11", "--line-shown", "no_98", "--recipient-added", "--report-lag", "0"),
        *("--clock-offset-s", "-60", "--page-size-most", "1"),
    )
    ask = asker(started)

    ask.send("a", "b")

    shown = ask("GET", "/sandbox/habits").json
    assert shown["clock_offset_s"] == -60
    page = ask.post("report/new_list", {}).json
    assert [(one["message"], one["number"], one["rcpts_count"]) for one in page["data"]] == [
        ("bلغو11", "3000505", "2")
    ]
    assert (page["meta"]["per_page"], page["meta"]["total"]) == (1, 2)


def test_every_habit_has_an_option(capsys):
    """The help names each with what it does."""
    with pytest.raises(SystemExit):
        cli.main(["sandbox", "--help"])

    told = " ".join(capsys.readouterr().out.split())
    names = {"report_lag_s": "report-lag", "report_lag_most_s": "report-lag-most", "reports": "no-reports"}
    for habit in fields(Habits):
        assert f"--{names.get(habit.name, habit.name.replace('_', '-'))} " in told


def test_a_fault_for_a_report_path(start, asker: type[Asker]):
    """A fault is ordered for one path, once, so many times or always."""
    started = start("--fault", "refuse_403:always@/report/new_list", "--fault", "no_ids@/api/send")
    ask = asker(started)

    assert [ask.post("report/new_list", {}).status for _ in range(3)] == [403] * 3
    assert "message_outbox_ids" not in ask.send("a").json["data"]
    assert len(ask.send("b").ids) == 1


def test_a_fault_with_its_fields_and_what_is_kept(start, asker: type[Asker]):
    """A fault is ordered for one line, a share and later; the newest messages alone are kept."""
    order = "undelivered:always,share=0.5,from_number=+983000505,after=1,delay_s=2"
    started = start("--fault", order, "--keep", "2")
    ask = asker(started)

    assert ask("GET", "/sandbox/state").json["faults"] == [
        {
            "fault": "undelivered",
            "times": None,
            "after": 1,
            "path": "/api/send",
            "delay_s": 2.0,
            "from_number": "+983000505",
            "share": 0.5,
        }
    ]
    ask.send(*"abc")
    assert ask("GET", "/sandbox/state").json["messages"] == 2


@pytest.mark.parametrize("order", ["silence,shares=1", "silence,share", "silence,share=x"])
def test_a_fault_that_cannot_be_read(order, capsys):
    """It is wrong usage."""
    with pytest.raises(SystemExit, match="2"):
        cli.main(["sandbox", "--fault", order])

    assert "argument --fault" in capsys.readouterr().err


def test_help_says_what_is_of_all_lines(capsys):
    """Latency, credit and habits are; how one line gets its own stands below."""
    with pytest.raises(SystemExit):
        cli.main(["sandbox", "--help"])

    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "--latency-ms MS wait before every answer, of all lines",
        "--credit RIAL the credit of all lines",
        "habits of the reports, all off by default; of all lines",
        'with "from_number" to /sandbox/trouble and /sandbox/habits',
    ):
        assert words in shown


def test_help_names_all_trouble(capsys):
    """Every fault, habit, and magic number and text."""
    with pytest.raises(SystemExit, match="0"):
        cli.main(["sandbox", "--help"])

    told = capsys.readouterr().out
    assert [name for name in (*FAULT_WORDS, *MAGIC_WORDS) if f"\n  {name} " not in told] == []
    assert "%" not in told.partition("faults, by name")[2]


def test_the_installed_command(start, asker: type[Asker]):
    """``p2psms sandbox`` is the same."""
    command = shutil.which("p2psms", path=str(sys.prefix) + "/bin") or pytest.skip("not installed")

    started = start("--queue-s", "0", "--latency-ms", "1", command=[command, "sandbox"])

    assert asker(started).send("hello").status == 200
    assert end(started.process)[0] == 0


def test_others_need_the_printed_token(start, asker: type[Asker]):
    """Beyond this machine the token is random; the greeting has it, the true addresses, and what is open."""
    started = start("--host", "0.0.0.0", "--allow-host", "sandbox")
    ask = asker(started)

    assert ask("GET", "/sandbox/state").status == 401  # with the token that everybody knows
    _, out, err = end(started.process)

    [token] = re.findall(r"token +(\S+)", out)
    assert token != "sandbox-token"
    assert f"http://127.0.0.1:{started.bound_port}/?token={token}\n" in out
    for address in own_addresses():
        assert f"http://{address}:{started.bound_port}/v1\n" in out
    assert "open to     other machines: page, gateway and control, each with this token\n" in out
    assert err == ""


@pytest.mark.parametrize(("options", "printed"), [((), 1), (("-q",), 0)])
def test_a_line_for_each_request(options, printed, start, asker: type[Asker]):
    """The terminal shows what was asked and answered, unless it is to be quiet."""
    started = start("--line", "BANK", "--line", "+98500", *options)

    assert asker(started).send("hello", from_number="+98500").status == 200
    assert asker(started).send("hello").status == 422
    _, out, _ = end(started.process)

    assert len(re.findall(r"^\d\d:\d\d:\d\d send 1 message . 1 id \d+ ms$", out, re.MULTILINE)) == printed
    assert "?from_number=BANK" in out


def test_what_it_cannot_start_with(sandbox: Sandbox, tmp_path, capsys):
    """A taken port, an unknown fault and a broken database are told in a line, with exit code 1."""
    for arguments in (
        ["--port", str(sandbox.bound_port)],
        ["--port", "70000"],
        ["--port", "0", "--latency-ms", "-1"],
        ["--port", "0", "--fault", "thunder"],
        ["--port", "0", "--page-empty", "-1"],
        ["--port", "0", "--database", str(tmp_path)],
    ):
        assert cli.main(["sandbox", *arguments]) == 1
        assert re.match(r"The sandbox cannot start: .+\n$", capsys.readouterr().err)


def test_it_names_the_missing_extra(monkeypatch, capsys):
    """Without the libraries of the extra, the command says how to get them."""
    for name in [name for name in sys.modules if name.startswith("airflow_provider_p2psms.sandbox.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)

    assert cli.main(["sandbox"]) == 1
    assert "pip install 'airflow-provider-p2psms[sandbox]'" in capsys.readouterr().err


@pytest.mark.parametrize("port_file", [True, False])
def test_in_this_process(port_file, monkeypatch, tmp_path, capsys):
    """The command returns 0 after its signal; the greeting quotes what a shell would take apart."""
    monkeypatch.setattr(signal, "signal", lambda _number, handler: handler())  # as if it came at once
    arguments = ["--port-file", str(tmp_path / "port")] if port_file else ["--host", "0.0.0.0"]

    assert cli.main(["sandbox", "--port", "0", "--token", "it's", *arguments]) == 0

    printed = capsys.readouterr()
    assert shlex.quote("Authorization: it's") in printed.out
    assert ("open to     this machine alone\n" in printed.out) == port_file
    assert printed.err == ""
    assert not list(tmp_path.iterdir())
