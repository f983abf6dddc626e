"""The gateway of these tests keeps the contract, counts truly, and shows each habit and fault."""

import json
import time

import pytest
import requests

from tests.habits.gateway import ANSWERS, LINE, QUESTION_ERRORS, TOKEN, Entry, Fault, HabitGateway
from tests.habits.habits import HABITS, TEXTS

ROWS = [(f"+98912000000{place}", f"سلام {place}") for place in range(1, 6)]


@pytest.fixture
def gateway():
    with HabitGateway(silence_s=0.2) as gateway:
        yield gateway


def call(gateway, path, document=None, *, token=TOKEN, **options):
    method = requests.get if document is None else requests.post
    extra = {} if document is None else {"json": document}
    return method(f"{gateway.url}/api{path}", headers={"Authorization": token}, timeout=5, **extra, **options)


def post(gateway, rows=ROWS, **fields):
    params = [{"recipients": [number], "message": text} for number, text in rows]
    return call(
        gateway,
        "/send",
        {"sending_type": "peer_to_peer", "from_number": LINE, "params": params, **fields},
        allow_redirects=False,
    )


def upload(gateway, rows=ROWS):
    lines = "".join(f'{number},"{text}"\r\n' for number, text in rows)
    return requests.post(
        f"{gateway.url}/api/send",
        headers={"Authorization": TOKEN},
        data={"sending_type": "peer_to_peer_file", "from_number": LINE},
        files={"files[]": ("m.csv", f"recipient,message\r\n{lines}".encode(), "text/csv")},
        timeout=5,
    )


def listed(gateway, **filters):
    return call(gateway, "/report/new_list", {"page": 1, "limit": 100, "filters": filters}).json()


@pytest.mark.parametrize("send", [post, upload])
def test_a_good_request_is_taken_and_counted(gateway, send):
    """Each message of a request gets an id, is counted once, and is shown by all three reports."""
    ids = send(gateway).json()["data"]["message_outbox_ids"]
    assert len(ids) == len(set(ids)) == 5
    assert dict.fromkeys((Entry(*row) for row in ROWS), 1) == gateway.taken()
    send(gateway)
    assert {2} == set(gateway.taken().values()) == set(gateway.offers.values())
    first = listed(gateway)["data"][-1]
    assert (str(ids[0]), LINE, ROWS[0][1]) == tuple(
        first[name] for name in ("messages_outbox_id", "number", "message")
    )
    assert first == call(gateway, f"/report/by_bulk?messages_outbox_id={ids[0]}").json()["data"]
    (entry,) = call(gateway, f"/report/recipients?bulk_id={ids[0]}").json()["data"]
    assert ROWS[0] == (entry["recipient"], entry["message"])


def test_bad_requests_are_refused(gateway):
    """A wrong token, number or time is refused and nothing is taken."""
    assert 401 == call(gateway, "/report/new_list", {}, token="other").status_code
    assert 422 == post(gateway, [("0912", "x")]).status_code
    assert 422 == post(gateway, send_time="2020-01-01 00:00:00").status_code
    assert not gateway.taken()


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("answer", sorted(set(ANSWERS) - {"hold"}))
def test_each_fault_answers_as_ordered(gateway, answer, taken):
    """The nth send is answered by its fault, after it was taken or not, and the next one is good."""
    gateway.order(Fault(answer=answer, taken=taken), nth=2)
    assert 200 == post(gateway, ROWS[:1]).status_code
    try:
        reply = post(gateway, ROWS[1:3])
    except requests.RequestException:
        assert answer in {"cut", "silence", "half"}
    else:
        assert answer == "garbage" or "message_outbox_ids" not in reply.text or "ids" in answer
    assert 200 == post(gateway, ROWS[3:]).status_code
    assert (5 if taken else 3) == len(gateway.taken())
    assert 5 == len(gateway.offers)


@pytest.mark.sampled(30)
@pytest.mark.parametrize("name", sorted(HABITS))
def test_each_habit_can_be_shown(name):
    """Every habit gives answers in JSON, and what it shows differs from the contract, or comes late."""
    rows = [
        (f"+98912000000{place}", f'سلام کد یک ۱4 "م" می\u200cرود\nاینجا  & تا پایان {place}')
        for place in range(1, 8)
    ]
    shown = []
    for habits in (HABITS["contract"], HABITS[name]):
        with HabitGateway(habits) as gateway:
            gateway.add(rows[:1], ago_s=1_000)
            group = {"recipients": [number for number, _ in rows], "message": rows[0][1]}
            document = {"sending_type": "peer_to_peer", "from_number": LINE, "params": [group]}
            ids = call(gateway, "/send", document).json()["data"]["message_outbox_ids"]
            post(gateway, rows)
            now = int(time.time())
            question = {"create_from_date": str(now - 300), "create_to_date": str(now + 300), "number": LINE}
            pages = [
                call(gateway, "/report/new_list", {"page": page, "limit": 5, "filters": question}).json()
                for page in (1, 2, 3)
            ]
            entries = call(gateway, f"/report/recipients?bulk_id={ids[0]}&per_page=100").json()
            answers = json.dumps([pages, entries, len(ids)])
            shown.append(answers.replace(str(now), "now").replace(str(now - 1), "now"))
    assert (name == "contract") == (shown[0] == shown[1])


def test_each_text_habit_alters_the_text_of_these_tests():
    """The text of the scenarios has something for every habit to alter."""
    from tests.habits.sends import text

    assert not [name for name, show in TEXTS.items() if show(text(1)) == text(1)]


@pytest.mark.parametrize("kind", sorted(QUESTION_ERRORS))
def test_questions_fail_as_ordered(gateway, kind):
    """Questions fail as often as ordered, and are answered then."""
    gateway.fail_questions(kind, times=2)
    for _ in range(2):
        try:
            reply = call(gateway, "/report/new_list", {})
        except requests.RequestException:
            assert kind == "cut"
        else:
            assert not (reply.ok and '"status": true' in reply.text)
    assert [] == listed(gateway)["data"]
    assert 3 == gateway.most_questions() == len(gateway.questions)


def test_lag_and_the_hour_that_passes(gateway):
    """What lags an hour behind is shown once the hour has passed."""
    gateway.change(lag_s=3_600)
    post(gateway)
    assert 0 == listed(gateway)["meta"]["total"]
    gateway.pass_time(3_600)
    assert 5 == listed(gateway)["meta"]["total"]


def test_what_is_scheduled_can_be_cancelled_and_then_does_not_count(gateway):
    """A scheduled message is taken, is listed, and is not counted once it was cancelled."""
    later = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 3_600))
    (first, *_) = post(gateway, send_time=later).json()["data"]["message_outbox_ids"]
    assert 5 == len(gateway.taken()) == listed(gateway)["meta"]["total"]
    assert 200 == call(gateway, "/send/cancel", {"message_outbox_id": first}).status_code
    assert 404 == call(gateway, "/send/cancel", {"message_outbox_id": 1}).status_code
    assert 4 == len(gateway.taken())
    gateway.change(scheduled="late")
    assert 0 == listed(gateway)["meta"]["total"]


def test_the_rule_of_forty_seconds(gateway):
    """With the rule on, a repeat within its time is refused with 429 and not taken."""
    gateway.repeat_s = 40
    assert 200 == post(gateway, ROWS[:2]).status_code
    assert 429 == post(gateway, ROWS[1:]).status_code
    assert 2 == len(gateway.taken())


def test_a_gateway_that_is_shut_refuses_connections_and_opens_at_the_same_address(gateway):
    """While it is shut nothing connects; afterwards the address is the same."""
    with gateway.shut_for_now(), pytest.raises(requests.ConnectionError):
        post(gateway)
    assert 200 == post(gateway).status_code
