"""
Who is measured: this package, and what people write today, each as its own documentation shows it.

Each is a function that does its work and returns nothing; run as a module it is timed, behind its imports:
`python -m scripts.bench.contenders NAME ARGUMENT…` prints `{"seconds": …}`.
"""

import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

LINE = "+983000505"
TOKEN = "token"  # noqa: S105 - the bench's gateway asks for none


def ours() -> Callable[..., None]:
    """Run a task that checks all rows of a file and sends them, with its ledger in files."""
    # Beside the rows: it is tidied up when the bench ends. A file system that has just deleted hundreds of
    # files makes new ones more slowly (ext4 for five minutes), and the next trial would pay for this one's.
    folder = tempfile.mkdtemp(dir=Path(sys.argv[2]).parent)
    os.environ |= {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

    from airflow_provider_p2psms import airflow_compat
    from airflow_provider_p2psms.operators import sms

    airflow_compat.lineage()  # loads Airflow's plugins, as is done before a task begins

    def send(path: str, url: str, max_in_flight: str = "4", operator: str = "PeerToPeerSMSOperator") -> None:
        connection = {"conn_type": "p2psms", "host": url, "password": TOKEN}
        os.environ["AIRFLOW_CONN_P2PSMS_DEFAULT"] = json.dumps(connection)
        os.environ["AIRFLOW__P2PSMS__LEDGER_PATH"] = folder
        task = getattr(sms, operator)(
            task_id="send", file=path, from_number=LINE, max_in_flight=int(max_in_flight)
        )
        names = {"dag_id": "bench", "run_id": "run", "task_id": "send", "map_index": -1}
        task.execute({"ti": SimpleNamespace(**names, try_number=1)})

    return send


def loop() -> Callable[..., list[int]]:
    """Post a thousand a request, checking nothing; return the ids."""
    import requests

    def send(path: str, url: str) -> list[int]:
        session = requests.Session()
        session.headers["Authorization"] = TOKEN
        outbox_ids: list[int] = []

        def post(params: list[dict[str, object]]) -> None:
            body = {"sending_type": "peer_to_peer", "from_number": LINE, "params": params}
            response = session.post(f"{url}/api/send", json=body, timeout=70)
            response.raise_for_status()
            outbox_ids.extend(response.json()["data"]["message_outbox_ids"])

        batch: list[dict[str, object]] = []
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            next(rows)
            for recipient, message in rows:
                batch.append({"recipients": [recipient], "message": message})
                if len(batch) == 1_000:
                    post(batch)
                    batch = []
        if batch:
            post(batch)
        return outbox_ids

    return send


def strongest() -> Callable[..., list[int]]:
    """
    Post a thousand a request with the fastest libraries, so many under way; return the ids.

    The most that one writes by hand: like the loop it checks nothing, and records nothing.
    """
    import asyncio

    import aiohttp
    import orjson

    async def send_all(rows: Iterator[list[str]], url: str, max_in_flight: int) -> list[int]:
        free, answers = asyncio.Semaphore(max_in_flight), list[asyncio.Task[list[int]]]()

        async def post(session: aiohttp.ClientSession, body: bytes) -> list[int]:
            try:
                async with session.post(f"{url}/api/send", data=body) as response:
                    response.raise_for_status()
                    ids: list[int] = orjson.loads(await response.read())["data"]["message_outbox_ids"]
                    return ids
            finally:
                free.release()

        headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers) as session:
            while some := list(islice(rows, 1_000)):
                params = [{"recipients": [recipient], "message": message} for recipient, message in some]
                body = {"sending_type": "peer_to_peer", "from_number": LINE, "params": params}
                await free.acquire()
                answers.append(asyncio.create_task(post(session, orjson.dumps(body))))
            return [each for ids in await asyncio.gather(*answers) for each in ids]

    def send(path: str, url: str, max_in_flight: str = "4") -> list[int]:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            next(rows)
            return asyncio.run(send_all(rows, url, int(max_in_flight)))

    return send


def prepared() -> Callable[..., None]:
    """Post bytes that are ready: what the gateway and the loopback take, whoever sends."""
    import http.client

    def send(count: str, url: str) -> None:
        group = '{"recipients":["+989120000000"],"message":"Dear customer 123456, your order has shipped"}'
        body = f'{{"params":[{",".join([group] * 1_000)}]}}'.encode()
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        for _ in range(int(count) // 1_000):
            connection.request("POST", "/api/send", body, {"Content-Type": "application/json"})
            connection.getresponse().read()

    return send


def requests_each() -> Callable[..., None]:
    """Post one request a recipient with a session of requests."""
    import requests

    def send(path: str, url: str) -> None:
        session = requests.Session()
        session.headers["Authorization"] = TOKEN
        for recipient, message in _rows(path):
            session.post(f"{url}/api/send", json=_one(recipient, message), timeout=70).raise_for_status()

    return send


def http_hook() -> Callable[..., None]:
    """Run the ``HttpHook`` of Airflow's http provider once a recipient."""
    from airflow.providers.http.hooks.http import HttpHook

    def send(path: str, url: str) -> None:
        os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = url
        hook = HttpHook(method="POST")
        headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
        for recipient, message in _rows(path):
            hook.run("/api/send", data=json.dumps(_one(recipient, message)), headers=headers)

    return send


def twilio() -> Callable[..., None]:
    """Create one message a recipient with Twilio's SDK."""
    from twilio.rest import Client

    def send(path: str, url: str) -> None:
        client = Client("AC" + 32 * "0", TOKEN)
        client.api.base_url = url
        for recipient, message in _rows(path):
            client.messages.create(to=recipient, from_=LINE, body=message)

    return send


def boto3_sns() -> Callable[..., None]:
    """Publish one text a recipient with boto3."""
    import boto3

    def send(path: str, url: str) -> None:
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": TOKEN}
        client = boto3.client("sns", endpoint_url=url, region_name="eu-central-1", **keys)
        for recipient, message in _rows(path):
            client.publish(PhoneNumber=recipient, Message=message)

    return send


def check() -> Callable[..., None]:
    """Check a file's rows, without sending."""
    from airflow_provider_p2psms.rows import RowRules, check_rows, read_file

    def work(path: str) -> None:
        with Path(path).open("rb") as stream:
            for _ in check_rows(read_file(stream, name=path), RowRules()).batches():
                pass

    return work


def pandas_check() -> Callable[..., None]:
    """Read a file with pandas and ask phonenumbers about each number."""
    import pandas as pd
    import phonenumbers

    def is_valid(number: str) -> bool:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, "IR"))

    def work(path: str) -> None:
        is_csv = path.endswith(".csv")
        frame = pd.read_csv(path, dtype=str) if is_csv else pd.read_excel(path, dtype=str, engine="calamine")
        if not frame["recipient"].map(is_valid).all():
            raise SystemExit("pandas and phonenumbers find bad numbers among the good rows of the bench")

    return work


def parse_dag() -> Callable[..., None]:
    """Run a DAG file, as Airflow does to parse it, behind one with nothing but ``airflow.sdk`` in it."""
    from airflow.sdk import DAG, BaseOperator

    with DAG("first", schedule=None):
        BaseOperator(task_id="a")

    def work(source: str) -> None:
        exec(compile(source, "dag.py", "exec"), {"__name__": "dag"})  # noqa: S102

    return work


def _rows(path: str) -> list[list[str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def _one(recipient: str, message: str) -> dict[str, Any]:
    params = [{"recipients": [recipient], "message": message}]
    return {"sending_type": "peer_to_peer", "from_number": LINE, "params": params}


def main() -> None:
    """Run the contender that is named, and print how long it took."""
    name, *args = sys.argv[1:]
    work = globals()[name]()
    start = time.perf_counter()
    work(*args)
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
