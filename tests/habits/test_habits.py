"""
Every habit of the reports and every kind of lost answer, with retries and a clear: none twice, none lost.

Each case sends 30 rows in three batches of ten, of which one is lost, or ten in a lone one. Airflow's two
retries follow, an hour passes for the reports, and a person clears the task. ``judge`` looks at every try.
"""

import datetime as dt
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import pytest

from tests.habits.conftest import FORMS, TIMES
from tests.habits.gateway import Fault, HabitGateway, Habits
from tests.habits.habits import BLIND_PAGES, HABITS, LATE
from tests.habits.sends import WITNESS, Task, connect, grouped, late_text, none_twice, number, personal, text

LOST = {"first": 1, "middle": 2, "last": 3, "lone": 1}
LAG = 0.3

# How an answer is lost, whether the messages were taken or not.
SILENT = ("cut", "502_html", "silence", "garbage", "half", "503_html", "504_html", "empty")
PROXIES = ("302", "307", "404_html", "403_html", "408_html", "499_html", "500_json")
# The gateway's own yes, without ids that can be used.
YES = (
    "no_ids",
    "null_data",
    "empty_ids",
    "202_null",
    "ids_of_zero",
    "negative_ids",
    "huge_ids",
    "ids_in_words",
)
# Ids that do not add up.
ODD = ("fewer_ids", "one_of_the_ids", "500_with_ids", "failed_with_ids", "422_with_ids")

# Shown to be altered so that they can still be recognised: these end by themselves.
RECOGNISED = {
    "contract",
    "pages_of_four",
    "pages_oldest_first",
    "pages_last_page_missing",
    "pages_last_page_null",
    "pages_other_size",
    "line_short",
    "line_without_plus",
    "line_with_zeros",
    "recipient_national",
    "recipient_without_plus",
    "recipient_with_zeros",
    "recipient_bare",
    "clock_ahead",
    "clock_behind",
    "time_integer",
    "time_milliseconds",
    "count_missing",
    "count_one",
    "count_zero",
    "filters_ignored",
    "ids_by_recipient",
    *(f"text_{name}" for name in ("suffix", "suffix_at_once", "prefix", "arabic_letters", "persian_digits")),
    *(f"text_{name}" for name in ("arabic_digits", "latin_digits", "zwnj_blank", "zwnj_dropped", "crlf")),
    *(f"text_{name}" for name in ("line_end_blank", "line_end_dropped", "br", "br_closed", "html", "blanks")),
    *(f"text_{name}" for name in ("quotes", "shortened", "shortened_with_dots", "suffix_and_letters")),
}
# `report_lag` is the user's word that the reports show everything by then: these break it.
BREAK_THE_WORD = {"an_hour_behind", "lags_at_random", *(f"pages_{name}" for name in BLIND_PAGES)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case: what the reports are like, how which batch is lost, and what is sent how."""

    habit: str
    answer: str = "cut"
    taken: bool = True
    form: str = "json"
    lost: str = "middle"
    rows: str = "personal"
    lag: float | None = None
    in_flight: int = 1

    def __str__(self) -> str:
        how = "taken" if self.taken else "not"
        words = (self.habit, self.answer, how, self.form, self.rows, self.lost)
        return "-".join((*words, *(["lag"] if self.lag else []), *(["wide"] if self.in_flight > 1 else [])))

    @property
    def ends(self) -> bool:
        """Whether it has to end by itself, with everything sent once."""
        return (
            self.habit in RECOGNISED
            and (self.lag is not None or self.lost in {"first", "middle"})
            and not (self.rows == "late" and self.habit.startswith("text_shortened"))
        )


def habit_cases() -> list[Case]:
    """Return some cases for each habit, so that all faults, forms and shapes come up in turn."""
    after, before = cycle(SILENT), cycle(SILENT)
    cases: list[Case] = []
    for turn, habit in enumerate(HABITS):
        wide, form = (4, 1)[turn % 2], ("json", "file")[turn % 2]
        other = ("file", "json")[turn % 2]
        cases += [
            Case(habit=habit, answer=next(after), lost="first", form=form, in_flight=wide),
            Case(habit=habit, answer=next(after), lost="middle", rows="grouped"),
            Case(habit=habit, answer=next(after), lost="lone", form=other),
            Case(habit=habit, answer=next(before), taken=False, lost="first", form=other),
        ]
        if habit not in BREAK_THE_WORD:
            cases += [
                Case(habit=habit, answer=next(after), lost="lone", form=form, lag=LAG),
                Case(habit=habit, answer=next(before), lost="lone", rows="grouped", lag=LAG),
                Case(habit=habit, answer=next(before), taken=False, lost="last", form=form, lag=LAG),
            ]
        if habit.startswith("text_"):
            cases.append(Case(habit=habit, lost="middle", rows="late", form=form))
    return cases


def covering(cases: Iterable[Case]) -> list[Any]:
    """Return the cases; two of three are left to ``make explore``, but for the habits that are hardest."""
    hard = ("four_shown", "one_left_out", "pages_no_deep", "text_null", "text_stars")
    return [
        pytest.param(
            case,
            id=str(case),
            marks=() if place % 3 == 0 or case.habit.startswith(hard) else pytest.mark.far,
        )
        for place, case in enumerate(cases)
    ]


def fault_cases() -> list[Case]:
    """Return cases for each kind of lost answer, with reports that keep the contract or merely page."""
    cases: list[Case] = []
    for turn, answer in enumerate((*SILENT, *PROXIES, *YES, *ODD)):
        form, other = ("json", "file")[turn % 2], ("file", "json")[turn % 2]
        cases += [
            Case(habit="contract", answer=answer, form=form),
            Case(habit="pages_of_four", answer=answer, form=other, lost="first", in_flight=4),
            Case(habit="contract", answer=answer, form=other, lost="lone", rows="grouped", lag=LAG),
            Case(habit="an_hour_behind", answer=answer, form=form, lost="lone"),
        ]
        if answer in {*SILENT, *PROXIES}:
            cases += [
                Case(habit="contract", answer=answer, taken=False, form=other),
                Case(habit="contract", answer=answer, taken=False, form=form, lost="lone", lag=LAG),
            ]
    return cases


def send(task, gateway, monkeypatch, case):
    """Run the case to the end of its retries; then the hour passes and a person clears the task."""
    most = 10 if case.lost == "lone" else 30
    task.operator = FORMS[case.form]
    task.rows = {
        "personal": lambda: personal(most),
        "grouped": lambda: grouped(most),
        "late": lambda: personal(most, of=late_text),
    }[case.rows]()
    task.options = {"max_in_flight": case.in_flight, **({"report_lag": case.lag} if case.lag else {})}
    gateway.habits = HABITS[case.habit]
    if case.answer == "silence":
        connect(monkeypatch, gateway.url, read_timeout=1)
    gateway.order(Fault(answer=case.answer, taken=case.taken), nth=LOST[case.lost])
    # Other traffic of the account: to nobody of ours, before and after each request.
    gateway.after_send = lambda place: gateway.add(
        [
            (f"+98935{place:07d}", f"somebody else's {place}"),
            (f"+98936{place:07d}", f"somebody else's {place}"),
        ]
    )
    ended = task.run()
    gateway.pass_time(LATE)
    return ended, task.clear()


@pytest.mark.sampled(84)
@pytest.mark.no_cover  # hundreds of cases that run the same lines
@pytest.mark.parametrize("case", covering(habit_cases()))
def test_whatever_the_reports_are_like(task: Task, gateway: HabitGateway, monkeypatch, case):
    """None is taken twice and none is lost in silence; where records are recognised, it ends by itself."""
    ended, cleared = send(task, gateway, monkeypatch, case)
    if case.ends:
        assert ("success", "success") == (ended.kind, cleared.kind), ended.text


@pytest.mark.sampled(19)
@pytest.mark.no_cover  # hundreds of cases that run the same lines
@pytest.mark.parametrize("case", covering(fault_cases()))
def test_however_an_answer_is_lost(task: Task, gateway: HabitGateway, monkeypatch, case):
    """None is taken twice and none is lost in silence; with a later batch or report_lag it ends by itself."""
    ended, cleared = send(task, gateway, monkeypatch, case)
    if case.ends:
        assert ("success", "success") == (ended.kind, cleared.kind), ended.text
    elif case.answer in ODD and case.habit != "an_hour_behind":
        assert "success" == cleared.kind, cleared.text


@pytest.mark.parametrize("answer", ["422", "busy"])
@pytest.mark.parametrize("form", FORMS)
def test_a_certain_no_is_no_doubt(task: Task, gateway: HabitGateway, form, answer):
    """What the gateway's own envelope refuses was not taken: no row is in doubt, and a clear sends it."""
    task.operator = FORMS[form]
    gateway.order(Fault(answer=answer, taken=False), nth=2)
    ended = task.run()
    assert 0 == ended.in_doubt
    assert ("failed" if answer == "422" else "success") == ended.kind
    assert "success" == task.clear().kind


@pytest.mark.parametrize("form", FORMS)
def test_a_connection_that_is_refused_is_no_doubt(task: Task, gateway: HabitGateway, form):
    """Where no connection is made nothing left; the retry sends everything."""
    task.operator = FORMS[form]
    with gateway.shut_for_now():
        ended = task.once()
    assert ("retry", 0) == (ended.kind, ended.in_doubt)
    assert "success" == task.once().kind


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("taken", [True, False])
def test_a_lone_request_without_a_witness_stays_in_doubt(task: Task, gateway: HabitGateway, form, taken):
    """On a quiet account absence proves nothing: retries only ask, and the user's word settles it later."""
    gateway.order(Fault(answer="cut", taken=taken))
    task.operator, task.rows = FORMS[form], personal(10)
    ended = task.run()
    assert 1 == gateway.sends
    if taken:
        assert "success" == ended.kind
        return
    assert "success" != ended.kind
    assert 10 == ended.in_doubt
    assert "success" == task.clear(report_lag=LAG).kind


@pytest.mark.parametrize("form", FORMS)
def test_502_after_acceptance_an_hour_behind_and_the_forty_second_rule(
    task: Task, gateway: HabitGateway, form
):
    """With every answer lost, reports an hour behind and the 40-second rule on, nothing is sent again."""
    gateway.habits, gateway.repeat_s = HABITS["an_hour_behind"], 40
    gateway.order_always(Fault(answer="502_html"))
    task.operator = FORMS[form]
    ended = task.run()
    assert "success" != ended.kind
    assert ended.in_doubt == sum(gateway.taken().values())
    assert gateway.sends <= 2
    gateway.order_always(None)
    gateway.pass_time(LATE)
    assert "success" == task.clear().kind


@pytest.mark.sampled(11)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "kind", ["429", "403", "404", "404_html", "422", "status_false", "500", "502_html", "cut"]
)
@pytest.mark.parametrize("path", ["/api/report/", "/api/report/recipients"])
def test_errors_of_the_reports_are_no_answer(task: Task, gateway: HabitGateway, form, kind, path):
    """While questions fail it stays in doubt and can be retried; once they are answered it ends by itself."""
    task.operator = FORMS[form]
    gateway.order(Fault(answer="cut"), nth=1)
    gateway.fail_questions(kind, path=path)
    ended = task.run()
    assert ended.kind in ({"retry"} if path == "/api/report/" else {"retry", "success"}), ended.text
    assert "40 seconds" not in ended.text
    gateway.answer_questions()
    assert "success" == task.clear().kind


@pytest.mark.parametrize("kind", ["429", "403", "404", "status_false", "500", "garbage"])
@pytest.mark.parametrize("taken", [True, False])
def test_errors_of_the_reports_for_a_while(task: Task, gateway: HabitGateway, kind, taken):
    """A few questions that fail are asked again, within the same task."""
    gateway.order(Fault(answer="502_html", taken=taken), nth=2)
    gateway.fail_questions(kind, times=3)
    assert "success" == task.run().kind


@pytest.mark.sampled(3)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ahead_s", [0.9, -0.9])
@pytest.mark.parametrize("habit", ["contract", "text_null"])
def test_date_headers_that_differ_by_two_seconds(task: Task, gateway: HabitGateway, form, ahead_s, habit):
    """A later try measures the gateway's clock a little otherwise: records of before are still recognised."""
    task.operator = FORMS[form]
    gateway.change(lag_s=LATE, date_s=ahead_s, text=HABITS[habit].text)
    gateway.order(Fault(answer="cut"), nth=2)
    assert "success" != task.run().kind
    gateway.change(lag_s=0.0, date_s=-ahead_s)
    gateway.pass_time(LATE)
    cleared = task.clear()
    assert habit != "contract" or "success" == cleared.kind, cleared.text


def take_late(gateway: HabitGateway, *, place: int) -> None:
    """Let the gateway take what it has left seconds after it should be over, with the request at a place."""

    def wait_and_take(sent: int) -> None:
        if sent == place:  # the batch whose record shows that the report is current
            until = time.time() + 3
            while time.time() < until:
                time.sleep(0.05)
            gateway.take_late()

    gateway.after_send = wait_and_take


@pytest.mark.parametrize("rows", [personal(30), grouped(30)], ids=["personal", "grouped"])
@pytest.mark.parametrize("form", FORMS)
def test_a_request_that_is_taken_when_it_should_be_over(task: Task, gateway: HabitGateway, form, rows):
    """A gateway with a queue takes it later than any request may last: nobody gets a second message."""
    task.operator, task.rows = FORMS[form], rows
    gateway.order(Fault(answer="cut", taken=False), nth=1)
    take_late(gateway, place=2)

    assert "retry" == task.once().kind
    task.clear()
    assert {1} == set(gateway.taken().values())


@pytest.mark.parametrize("form", FORMS)
def test_a_large_request_that_is_taken_late_is_found(task: Task, gateway: HabitGateway, form):
    """More than twenty personal texts at the right people are no coincidence, however late they are."""
    task.operator, task.rows, task.options = FORMS[form], personal(75), {"batch_size": 25}
    gateway.order(Fault(answer="cut", taken=False), nth=1)
    take_late(gateway, place=2)

    assert "success" == task.once().kind
    assert {1} == set(gateway.taken().values())


# --- records that are nobody's, or somebody else's


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("filters", [True, False])
def test_the_same_texts_of_the_previous_run(task: Task, gateway: HabitGateway, form, taken, filters):
    """The record of a run five minutes ago is not taken for this run's message."""
    task.operator = FORMS[form]
    gateway.change(filters=filters)
    for row in task.rows:
        gateway.add([row], ago_s=300)
    gateway.order(Fault(answer="cut", taken=taken), nth=1)
    assert "success" == task.run().kind


@pytest.mark.parametrize("ago_s", [4.0, 6.0, 30.0])
def test_the_same_texts_a_moment_ago(task: Task, gateway: HabitGateway, ago_s):
    """Records of the same texts shortly before are told apart from ours, or leave ours in doubt."""
    for row in task.rows:
        gateway.add([row], ago_s=ago_s)
    gateway.order(Fault(answer="cut", taken=False), nth=1)
    task.run()
    task.clear()


@pytest.mark.parametrize("taken", [True, False])
def test_the_same_text_of_another_dag_at_the_same_time(task: Task, gateway: HabitGateway, taken):
    """What another task sent to the same people within the same second cannot be told apart: never twice."""
    task.rows = grouped(30)
    gateway.order(Fault(answer="502_html", taken=taken), nth=1)
    gateway.after_send = lambda place: gateway.add(task.rows[:10]) if place == 1 else None
    task.run(judged=False)
    task.clear(judged=False)
    none_twice(task)


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_the_same_text_of_another_dag_to_other_people(task: Task, gateway: HabitGateway, form, taken):
    """A record of the same text to other people neither is ours nor keeps ours in doubt."""
    task.operator, task.rows = FORMS[form], grouped(30)
    gateway.order(Fault(answer="502_html", taken=taken), nth=1)
    gateway.after_send = lambda _: gateway.add([(number(900 + place), text(1)) for place in range(5)])
    assert "success" == task.run().kind


@pytest.mark.parametrize("state", [3, 4, 7, 8, 9])
@pytest.mark.parametrize("form", FORMS)
def test_records_that_failed_or_were_cancelled(task: Task, gateway: HabitGateway, form, state):
    """A record in a failed state is nobody's message: what was not taken is sent."""
    task.operator = FORMS[form]
    gateway.order(Fault(answer="cut", taken=False), nth=1)
    gateway.after_send = lambda place: (
        [gateway.add([row], state=state) for row in task.rows[:10]] if place == 1 else None
    )
    assert "success" == task.run().kind


@pytest.mark.parametrize("line", ["+983000506", "+9830005", "+983001505", "+985000505"])
@pytest.mark.parametrize("taken", [True, False])
def test_the_same_messages_from_another_line(task: Task, gateway: HabitGateway, line, taken):
    """A record of the same messages from another line of the account is not ours."""
    gateway.order(Fault(answer="cut", taken=taken), nth=1)
    gateway.after_send = lambda place: (
        [gateway.add([row], line=line) for row in task.rows[:10]] if place == 1 else None
    )
    assert "success" == task.run().kind


@pytest.mark.parametrize("taken", [True, False])
def test_a_later_text_to_the_same_people_is_not_explained(task: Task, gateway: HabitGateway, taken):
    """Records of another text to our recipients keep them in doubt, or they are told apart: never twice."""
    gateway.order(Fault(answer="cut", taken=taken), nth=1)
    gateway.after_send = lambda place: (
        [gateway.add([(to, "your parcel is here")]) for to, _ in task.rows[:10]] if place == 1 else None
    )
    task.run()
    task.clear()


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_one_text_that_contains_another(task: Task, gateway: HabitGateway, form, taken):
    """Where one of our texts contains another to the same person, each gets its own id or stays in doubt."""
    short = [(number(place), f"کد شما {place} است") for place in range(1, 6)]
    task.operator = FORMS[form]
    task.rows = [*short, *((to, f"{told} و تا فردا می ماند") for to, told in short), *personal(20, first=50)]
    gateway.change(text=lambda told: f"{told}\nلغو11")
    gateway.order(Fault(answer="cut", taken=taken), nth=1)
    task.run()
    task.clear()


def test_the_gateway_gives_one_id_a_file(task: Task, gateway: HabitGateway):
    """A gateway that gives one id for each file gets every row once, without any fault of the network."""
    task.operator, gateway.habits = FORMS["file"], HABITS["ids_by_request"]
    first, cleared = task.run(), task.clear()
    assert ("success", "success") == (first.kind, cleared.kind), first.text
    assert 3 == gateway.sends


def test_the_gateway_gives_an_id_a_recipient(task: Task, gateway: HabitGateway):
    """A gateway that gives an id for each recipient of a group gets every row once."""
    gateway.habits, task.rows = HABITS["ids_by_recipient"], grouped(30)
    first, cleared = task.run(), task.clear()
    assert "success" == cleared.kind, first.text
    assert 3 == gateway.sends


# --- scheduled


@pytest.mark.sampled(7)
@pytest.mark.parametrize("scheduled", ["listed", "late", "by_send_time"])
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("lost", ["lone", "first"])
@pytest.mark.parametrize("lag", [None, LAG])
def test_scheduled_messages(task: Task, gateway: HabitGateway, scheduled, taken, lost, lag):
    """Scheduled messages that are listed at once, once sent, or by their send time, are not sent twice."""
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    task.rows = personal(10 if lost == "lone" else 30)
    task.options = {"send_time": later.isoformat(), **({"report_lag": lag} if lag else {})}
    gateway.habits = Habits(scheduled=scheduled)
    gateway.order(Fault(answer="502_html", taken=taken), nth=1)
    if lag and scheduled == "late":
        pytest.skip("report_lag is the user's word that the reports show everything by then")
    ended = task.run()
    if scheduled == "listed" and (lag or lost == "first"):
        assert "success" == ended.kind, ended.text
    gateway.pass_time(2 * LATE)
    cleared = task.clear()
    assert scheduled != "listed" or (not lag and lost == "lone") or "success" == cleared.kind, cleared.text


# --- paced questions


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("suffix", ["", "\nلغو11"])
def test_a_lost_batch_of_a_thousand_takes_few_questions(task: Task, gateway: HabitGateway, taken, suffix):
    """A lost batch of 1,000 personal texts is settled with 60 questions at most."""
    task.rows = personal(1_010)
    task.options = {"batch_size": 1_000}
    gateway.change(text=lambda told: f"{told}{suffix}")
    gateway.order(Fault(answer="502_html", taken=taken), nth=1)
    assert "success" == task.run().kind
    assert len(gateway.questions) <= 60


@pytest.mark.parametrize("lag", [None, 0.2])
def test_pauses_grow_while_the_reports_give_no_answer(task: Task, gateway: HabitGateway, monkeypatch, lag):
    """With `report_lag`, too: the gateway is not flooded, nor the log."""
    slow = replace(TIMES, patience_s=3.0, poll_every_s=0.1, poll_at_least_every_s=2.0)
    monkeypatch.setattr(FORMS["json"], "_times", slow, raising=False)
    task.options = {"report_lag": lag} if lag else {}
    gateway.order(Fault(answer="cut", taken=False))
    gateway.fail_questions("500")

    assert "success" != task.once().kind
    assert len(gateway.questions) <= 15


@pytest.mark.parametrize(("page_size", "pages"), [(100, 21), (500, 5)])
def test_what_other_map_indexes_send_meanwhile_is_known(task: Task, gateway: HabitGateway, page_size, pages):
    """They share the ledger: not one of their 2,010 messages takes a question of its own."""
    gateway.change(page_size=page_size)
    other = replace(
        task, map_index=1, rows=personal(2_010, first=1_000), options={"batch_size": 1_000}, tries=[]
    )
    task.map_index = 0
    gateway.order(Fault(answer="502_html", taken=False))
    gateway.after_send = lambda place: place == 1 and other.run()

    assert "success" == task.run().kind
    assert ["success"] == [each.kind for each in other.tries]
    looks = 3
    assert len(gateway.questions) < looks * (pages + 4)


def test_what_another_map_index_has_settled_meanwhile_is_still_found(task: Task, gateway: HabitGateway):
    """The rows of both are the same by mistake. The other one finds what is in doubt; so does this one."""
    other = replace(task, map_index=1, rows=task.rows[:10], tries=[])
    task.map_index = 0
    gateway.order(Fault(answer="502_html", taken=True))
    gateway.change(lag_s=0.5)
    gateway.after_send = lambda place: place == 2 and other.run()

    ended = task.run()

    assert ("success", "success") == (ended.kind, other.tries[-1].kind), ended.text


@pytest.mark.parametrize(("foreign", "ends"), [(300, True), (601, False)])
def test_many_messages_of_others_in_the_time_of_a_lost_batch(
    task: Task, gateway: HabitGateway, caplog, foreign, ends
):
    """Of up to 600 the recipients are asked for; of more none are, and what is in doubt is for a person."""
    gateway.order(Fault(answer="502_html", taken=False))
    gateway.after_send = lambda place: (
        place == 1
        and [gateway.add([(number(1_000_000 + each), f"parcel {each}")]) for each in range(foreign)]
    )

    ended = task.run()

    assert ends == (ended.kind == "success"), ended.text
    asked = sum("/recipients" in path for _, path in gateway.questions)
    assert foreign <= asked <= foreign + 10 if ends else asked < 20
    assert ends == ("messages of other sends that may be those in doubt" not in caplog.text)


def test_a_large_batch_whose_answer_leaves_an_id_out(task: Task, gateway: HabitGateway):
    """Its ids are its own, so each is asked about: the limit is for messages of other sends."""
    task.rows = personal(710)
    task.options = {"batch_size": 700}
    gateway.order(Fault(answer="fewer_ids"))

    assert "success" == task.run().kind


def test_questions_keep_the_pace_that_is_set(task: Task, gateway: HabitGateway, monkeypatch):
    """At most so many questions are asked in any time as the pace says."""
    operator = FORMS["json"]
    monkeypatch.setattr(operator, "_times", replace(TIMES, questions=5, questions_per_s=0.5))
    gateway.change(page_size=3)
    gateway.order(Fault(answer="502_html", taken=False), nth=1)
    task.run()
    assert gateway.questions
    assert gateway.most_questions(per_s=0.45) <= 5


# --- a witness of one's own


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_a_witness_for_a_quiet_account(task: Task, gateway: HabitGateway, monkeypatch, form, taken):
    """With witness_recipient a lone request is settled by a scheduled message that is cancelled again."""
    connect(monkeypatch, gateway.url, witness_recipient=WITNESS)
    task.operator, task.rows = FORMS[form], personal(10)
    gateway.order(Fault(answer="cut", taken=taken), nth=1)
    assert "success" == task.run().kind
    witnesses = [each for each in gateway.records if each.entries[0].number == WITNESS]
    assert {7} >= {each.state for each in witnesses}
    assert all(each.is_scheduled for each in witnesses)


@pytest.mark.parametrize("scheduled", ["late", "by_send_time"])
def test_a_witness_that_is_not_shown_proves_nothing(
    task: Task, gateway: HabitGateway, monkeypatch, scheduled
):
    """Where scheduled messages are not listed the witness proves nothing, and is cancelled all the same."""
    connect(monkeypatch, gateway.url, witness_recipient=WITNESS)
    gateway.habits = Habits(scheduled=scheduled, lag_s=LATE)
    task.rows = personal(10)
    gateway.order(Fault(answer="cut"), nth=1)
    assert "success" != task.run().kind
    assert all(each.state == 7 for each in gateway.records if each.entries[0].number == WITNESS)
