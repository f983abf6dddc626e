"""A file that is checked in a process of its own: the same results, and no process that stays."""

import gzip
import io
import os
import pickle
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from airflow_provider_p2psms.errors import InvalidMessageError, P2PSMSError
from airflow_provider_p2psms.rows import (
    FileRules,
    Message,
    RowRules,
    check_rows,
    read_file,
    worker_process,
)
from airflow_provider_p2psms.rows.worker_process import WorkerLimits, check_file

GOOD = "0912000{0:04d},code {0}\n"
HEAD = "recipient,message\n"


# Every file is a large one here, and two processors are there, whatever this machine has.
LIMITS = WorkerLimits(large_bytes=1, processors=2)


@contextmanager
def checking(stream, rules, *, how=None, limits=LIMITS):
    """Check a file by rules."""
    with check_file(stream, name="rows.csv", how=how, limits=limits) as check:
        yield check(rules)


@pytest.fixture
def file(tmp_path):
    """Write a file; give it opened."""
    opened = []

    def file(content: str | bytes, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        opened.append(path.open("rb"))
        return opened[-1]

    yield file
    for stream in opened:
        stream.close()


@pytest.fixture(autouse=True)
def processes():
    """
    Find the processes that the test has started.

    By what was there before, not by their command lines: those are empty for a moment after the start, and
    again after the end.
    """
    before = {child.pid for child in psutil.Process().children()}
    return lambda: [child for child in psutil.Process().children() if child.pid not in before]


def drain(checked):
    """Give the results, and the error that ended them."""
    found = []
    try:
        found.extend(checked)
    except InvalidMessageError as err:
        return found, (type(err), str(err))
    return found, None


@pytest.fixture
def results(processes):
    """Check a file in a process of its own, and leave no process behind."""

    def results(stream, rules):
        with checking(stream, rules) as checked:
            assert 1 == len(processes())  # it waits for its rules until the first result is asked for
            found = drain(checked)
        assert [] == processes()
        return found

    return results


@pytest.fixture
def say(cov, pytestconfig):
    """Let the process run to its end; give all that it wrote. Where coverage is measured, it is here, too."""
    measured = {"COVERAGE_PROCESS_START": str(pytestconfig.rootpath / "pyproject.toml")} if cov else {}

    def say(stream):
        task = pickle.dumps(sys.path) + pickle.dumps((stream.fileno(), "rows.csv", FileRules(), RowRules()))
        ended = subprocess.run(
            [sys.executable, "-c", worker_process._START.format(worker_process.__name__)],
            input=task,
            capture_output=True,
            env=os.environ | measured,
            pass_fds=[stream.fileno()],
            check=True,
        )
        assert b"" == ended.stderr
        return ended.stdout

    return say


MANY = HEAD + "".join(map(GOOD.format, range(5_000)))
BROKEN = MANY + '09120000001,"never closed\n'
MIXED = HEAD + "".join(
    GOOD.format(at) if at % 700 else f"12,code {at}\n,\n0912,\n09120000001,{'x' * 2_000}\n"
    for at in range(5_000)
)


@pytest.mark.parametrize(
    ("content", "rules"),
    [
        (MANY, RowRules()),
        (MIXED, RowRules()),
        (BROKEN, RowRules()),
        (MIXED.replace("message", "name"), RowRules(text="Dear {name}")),
        (
            MANY.replace("recipient,message", "to,what"),
            RowRules(recipient_column="to", message_column="what"),
        ),
        (MANY, RowRules(key_column="message")),
        (MANY.replace("code", "سلام").encode("cp1256"), RowRules()),
        (MANY, RowRules(recipient_column="mobile")),
        (MANY, RowRules(text="Dear {name}", message_column="text")),
        (HEAD, RowRules()),
        ("\n", RowRules()),
        ("%PDF", RowRules()),
    ],
    ids=range(12),  # a whole file is too long for the environment of a process, where pytest puts it
)
def test_what_comes_is_what_would_come_here(content, rules, file, results):
    """Messages, problems and errors are the same, in the same order."""
    assert drain(check_rows(read_file(file(content), name="rows.csv"), rules)) == results(
        file(content), rules
    )


def test_a_workbook(file, tmp_path, results):
    """XLSX are read there, too."""
    import xlsxwriter

    with xlsxwriter.Workbook(tmp_path / "rows.xlsx") as book:
        sheet = book.add_worksheet()
        for at in range(2_000):
            sheet.write_row(at, 0, (f"0912000{at:04d}", f"code {at}") if at else ("recipient", "message"))
    content = (tmp_path / "rows.xlsx").read_bytes()

    found = results(file(content), RowRules())

    assert drain(check_rows(read_file(file(content), name="rows.csv"), RowRules())) == found
    assert 1_999 == len(found[0])


def test_an_encoding_that_is_named_is_not_looked_for(file, processes):
    """The process reads the file as it was told, though its bytes are good in another encoding, too."""
    stream = file((HEAD + "09121234567,سلام\n").encode("cp1256"))

    with checking(stream, RowRules(), how=FileRules(encoding="iso8859-6")) as checked:
        assert ["سفاك"] == [each.text for each in checked if isinstance(each, Message)]
        assert 1 == len(processes())


def test_results_come_while_rows_are_read(file, processes):
    """Nothing waits for the end of the file."""
    with checking(file(MANY * 40), RowRules()) as checked:
        next(checked)
        assert psutil.STATUS_ZOMBIE != processes()[0].status()


def test_a_process_that_is_killed_is_no_end_of_the_rows(file, processes):
    """For want of memory it may be ended at any time: then nothing is sent, and a later try begins anew."""
    with checking(file(MANY * 40), RowRules()) as checked:
        next(checked)
        processes()[0].kill()
        with pytest.raises(P2PSMSError, match=r"has ended before its work \(code -9\)"):
            list(checked)


@pytest.fixture
def started_instead(tmp_path, monkeypatch):
    """Let a program of the test's own start instead of Python."""

    def started_instead(script):
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(program))

    return started_instead


def test_half_of_what_it_says_is_no_end_of_the_rows(file, say, started_instead, tmp_path):
    """Wherever it was ended: nothing less than all of it is a list of rows."""
    stream = file(HEAD + "".join(map(GOOD.format, range(3))))
    said = say(stream)

    started_instead('cat "$(dirname "$0")/said"')
    (tmp_path / "said").write_bytes(said)
    with checking(stream, RowRules()) as checked:
        assert 3 == len(list(checked))

    for length in range(len(said)):
        (tmp_path / "said").write_bytes(said[:length])
        with (
            pytest.raises(P2PSMSError, match=r"has ended before its work \(code 0\)"),
            checking(stream, RowRules()) as checked,
        ):
            list(checked)


def test_what_is_wrong_with_a_file_is_said_to_its_reader_alone(file, say):
    """No traceback, which a log would keep, and no exit code: the reader raises the error."""
    assert b"is a PDF" in say(file("%PDF-1.7\n"))


def test_a_process_that_cannot_start_is_no_end_of_the_rows(file, started_instead):
    """As little as one that ends at once."""
    started_instead("exit 3")

    with (
        pytest.raises(P2PSMSError, match=r"has ended before its work \(code 3\)"),
        checking(file(MANY), RowRules()) as checked,
    ):
        list(checked)


def test_an_error_of_any_kind_comes_through(file):
    """What nobody has thought of is raised as it would be here."""
    stream = file(MANY)
    folder = os.open(Path(stream.name).parent, os.O_RDONLY)
    os.dup2(folder, stream.fileno())  # reading it fails
    os.close(folder)

    with (
        pytest.raises(IsADirectoryError),
        # To find the encoding would fail here already.
        checking(stream, RowRules(), how=FileRules(encoding="utf-8")) as checked,
    ):
        list(checked)


def test_it_ends_with_whoever_started_it(file):
    """Also where that was ended without notice."""
    path = file(MANY * 40).name
    code = (
        "import sys, os, signal; from airflow_provider_p2psms.rows import RowRules, worker_process\n"
        "limits = worker_process.WorkerLimits(large_bytes=1, processors=2)\n"
        "with worker_process.check_file(open(sys.argv[1], 'rb'), name='rows.csv', limits=limits) as check:\n"
        "    next(check(RowRules())); print('begun', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert b"begun\n" == parent.stdout.readline()
        (child,) = psutil.Process(parent.pid).children()
        parent.kill()
        child.wait(timeout=30)


def test_nobody_sees_what_it_checks(file, capfd, processes, results):
    """Neither the list of processes nor its output shows a number or a text, however it ends."""
    # So many rows that the pipe does not hold them: the process is still there after its first result.
    with checking(file(MIXED * 40), RowRules(text="secret {message}")) as checked:
        next(checked)
        shown = " ".join(processes()[0].cmdline())
        processes()[0].send_signal(signal.SIGINT)
    results(file(BROKEN), RowRules())

    assert "secret" not in shown
    assert ("", "") == tuple(capfd.readouterr())


@pytest.mark.parametrize("why", ["small", "no file", "unpacked"])
def test_where_it_is_not_worth_it_the_check_is_done_here(why, file, processes):
    """A process costs more than it saves, or cannot read what it would be given."""
    stream, limits = file(MANY), LIMITS
    if why == "small":
        limits = replace(LIMITS, large_bytes=len(MANY) + 1)
    elif why == "no file":
        stream = io.BytesIO(MANY.encode())
    else:
        stream = gzip.open(file(gzip.compress(MANY.encode()), "rows.gz"))  # noqa: SIM115 - over one that is closed

    with checking(stream, RowRules(), limits=limits) as checked:
        assert 5_000 == len(list(checked))
        assert [] == processes()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system ties no process to a processor")
def test_on_one_processor_no_process_is_started(file, processes):
    """Both would share it, and take longer than one."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        with checking(file(MANY), RowRules(), limits=replace(LIMITS, processors=None)) as checked:
            assert [] == processes()
            assert 5_000 == len(list(checked))
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_system_without_room_for_a_process(file, processes, monkeypatch):
    """The rows are checked here then."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with checking(file(MANY), RowRules()) as checked:
        assert [] == processes()
        assert 5_000 == len(list(checked))


def test_a_user_whose_room_in_pipes_is_used_up(file, processes):
    """Where the kernel grants no large pipe, the process writes through a small one."""
    limits = replace(LIMITS, pipe_bytes=2**31 - 1)  # more than it grants anybody

    with checking(file(MANY), RowRules(), limits=limits) as checked:
        assert 1 == len(processes())
        assert 5_000 == len(list(checked))
