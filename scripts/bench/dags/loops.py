"""The same rows as one posts them by hand in a task: with the ids as its result, and with their number."""

import os

from airflow.sdk import DAG, get_current_context, task

from scripts.bench.contenders import loop

for name, give in {"loop_to_ids": list, "loop_to_count": len}.items():
    with DAG(name, schedule=None) as dag:

        @task(task_id="send", retries=0, show_return_value_in_logs=False)
        def send(give=give):  # noqa: ANN001, ANN201 - as one writes it
            """Post all rows."""
            conf = get_current_context()["dag_run"].conf
            return give(loop()(conf["file"], os.environ["BENCH_GATEWAY"]))

        send()
    globals()[name] = dag
