"""The commands of the README and of docs/, run as they are printed, those of a page one after the other."""

import datetime as dt
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, Digests
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.ledger.records import Completion
from airflow_provider_p2psms.ledger.stores import ObjectStore
from tests.pages import PAGES, ROOT, blocks, lines_to_type

TYPED = {
    "README.md": (ROOT / "README.md").read_text("utf-8"),
    "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
    **PAGES,
}
# `.ci/run` runs the targets; `make dist` installs what the pages tell to install, in an empty environment.
RUN_BY_OTHERS = ("apt-get", "make", "pip")
BY_HAND = {"make cluster", "make cluster-test ROWS=1000000"}
# What a reader has in place of a placeholder.
OWN = {"edge.ippanel.com": "127.0.0.1:8025", ":YOUR-TOKEN@": ":sandbox-token@", ":TOKEN@": ":sandbox-token@"}

# A sandbox is started as a reader does it, who leaves it running and goes on in a second terminal.
PRELUDE = """
set -euo pipefail
running=
stop() { if [ "$running" ]; then kill "$running"; wait "$running" || true; running=; fi; }
trap stop EXIT
p2psms() {
    if [ "$1" != sandbox ]; then command p2psms "$@"; return; fi
    stop
    rm -f port.txt
    command p2psms "$@" --port "$PORT" --port-file port.txt >> sandbox.log 2>&1 &
    running=$!
    until [ -f port.txt ]; do kill -0 "$running"; sleep 0.1; done
}
"""
TOMORROW = f"{dt.datetime.now(dt.UTC) + dt.timedelta(days=1):%Y-%m-%d %H:%M:%S}"
AUTHORIZED = "curl -sS -H 'Authorization: sandbox-token' -H 'Content-Type: application/json'"


def send(recipient: str, text: str, **more: str) -> str:
    """Give a command that sends a text."""
    group = {"recipients": [recipient], "message": text}
    body = {"sending_type": "peer_to_peer", "from_number": "+983000505", "params": [group], **more}
    return f"{AUTHORIZED} -d '{json.dumps(body)}' http://127.0.0.1:8025/v1/api/send"


def arrived(count: int) -> str:
    """Give a command that fails unless so many messages have arrived."""
    return f"{AUTHORIZED} http://127.0.0.1:8025/sandbox/messages | grep '\"messages\":{count},'"


# What a page takes for granted. Where it starts no sandbox, one is running.
BEFORE = {
    "sandbox.md": f"p2psms sandbox; {send('+989120000001', 'Hello', send_time=TOMORROW)}",
    "sandbox-habits.md": "p2psms sandbox",
    "testing.md": f"p2psms sandbox; {send('+989120000001', 'Your code is 7')}",
    # The gateway of the page.
    "verify.md": "p2psms sandbox",
}
AFTER = {
    "how-to/remove-ledgers.md": "[ ! -e airflow/p2psms_ledger/DAG ]",
    "ledger-files.md": "[ ! -e airflow/p2psms_ledger/DAG ]",
    "sandbox.md": arrived(0),
    "start.md": arrived(2),
    "verify.md": arrived(7),
}
LEDGERS = {"ledger-files.md", "how-to/remove-ledgers.md"}
KINDS = {"start.md": pytest.mark.airflow}


def is_run_here(line: str) -> bool:
    return shlex.split(line, comments=True)[0] not in RUN_BY_OTHERS


@pytest.fixture
def port() -> Iterator[int]:
    """Keep a port free for the sandbox, which may be started several times."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def run(script: str, folder: Path, port: int) -> str:
    """Run a script in a shell at a terminal, where somebody answers each question with a yes."""
    for printed, own in {**OWN, "127.0.0.1:8025": f"127.0.0.1:{port}"}.items():
        script = script.replace(printed, own)
    (folder / ".curlrc").write_text("fail\n")  # an answer other than 2xx ends the script
    environment = {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PORT": str(port),
        **{name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TMPDIR") if name in os.environ},
        **{name: value for name, value in os.environ.items() if name.startswith("AIRFLOW__")},
    }
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__DAGS_FOLDER"):
        del environment[name]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["bash", "-c", script], cwd=folder, env=environment, stdin=theirs,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as shell:  # fmt: skip
        try:
            os.write(ours, b"y\ny\n")
            printed, _ = shell.communicate(timeout=280)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)
            os.close(ours)
            os.close(theirs)
    assert 0 == shell.returncode, printed
    return printed


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=KINDS.get(page, ()))
        for page, text in TYPED.items()
        if any(map(is_run_here, lines_to_type(text)))
    ],
)
def test_the_commands_of_a_page_run(page: str, port: int, tmp_path: Path):
    """Each is typed as it is printed, and ends well; of the address of the sandbox, the port may differ."""
    typed = [line for line in lines_to_type(TYPED[page]) if is_run_here(line)]
    (tmp_path / "customers.csv").write_text(
        "recipient,message,mobile,name\n0912 000 0001,Hello,0912 000 0001,Sara\n", "utf-8"
    )
    if page in LEDGERS:
        write_ledger(tmp_path / "airflow/p2psms_ledger/DAG/RUN/TASK")
    if page == "start.md":
        (tmp_path / "airflow/dags").mkdir(parents=True)
        [code] = blocks(TYPED[page], "python")
        (tmp_path / "airflow/dags/first_texts.py").write_text(code, "utf-8")

    printed = run("\n".join([PRELUDE, BEFORE.get(page, ""), *typed, AFTER.get(page, "")]), tmp_path, port)

    assert "Traceback" not in printed


def write_ledger(folder: Path) -> None:
    """Write the ledger of a send of 100 days ago."""
    ledger = Ledger(ObjectStore(folder), name="p2psms")
    ledger.open(must_exist=False)
    digests = Digests.of([(1).to_bytes(DIGEST_BYTES, "big")])
    doubts = ledger.intend(
        digests, sender="+983000505", at=1.7e9, until=1.7e9 + 60, gateway="https://gateway"
    )
    ledger.flush()
    ledger.settle(doubts, digests, [11])
    ledger.close(Completion(1, None))
    ledger.flush()
    for file in folder.iterdir():
        os.utime(file, (time.time() - 100 * 86_400,) * 2)


def test_the_other_commands_run_elsewhere():
    """What is not typed here is run by `.ci/run` and `make dist`, as it is printed."""
    ours = re.findall(r"\brun ([^&|;}]+)", (ROOT / ".ci/run").read_text("utf-8"))
    others = [line for text in TYPED.values() for line in lines_to_type(text) if not is_run_here(line)]
    for words in (shlex.split(line, comments=True) for line in others):
        if words[0] != "pip" and " ".join(words) not in BY_HAND:
            assert any(set(words) <= set(line.split()) for line in ours), words


@pytest.mark.proof
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=f"{page}-{number}")
        for page, text in TYPED.items()
        for number, code in enumerate(blocks(text, "python"))
        if re.search(r"^def test_", code, re.MULTILINE)
    ],
)
def test_the_tests_of_a_page_pass(code: str, tmp_path: Path, port: int):
    """A test that a page shows is one that passes."""
    (tmp_path / "test_page.py").write_text(code, "utf-8")

    assert " passed" in run("pytest -q -p no:cacheprovider test_page.py", tmp_path, port)


@pytest.mark.proof
def test_the_steps_of_the_workflow_run(port: int, tmp_path: Path):
    """The sandbox that a workflow starts is there for its tests."""
    yaml = pytest.importorskip("yaml")
    [code] = blocks(PAGES["testing.md"], "yaml")
    steps = yaml.safe_load(code.replace("8025", str(port)))["steps"]
    (tmp_path / "test_send.py").write_text(blocks(PAGES["testing.md"], "python")[0], "utf-8")
    typed = [step["run"] for step in steps if is_run_here(step["run"])]
    [environment] = [step["env"] for step in steps if "env" in step]
    settings = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]

    printed = run("\n".join(["set -e; trap 'kill $!' EXIT", *settings, *typed]), tmp_path, port)

    assert "1 passed" in printed
