#!/bin/sh
# Pins everything that development and the tests need, once for each Airflow that is supported:
# dev.txt for the newest, airflow-X.txt for the older ones; peers.txt is dev.txt and what we are measured against.
# Run it after a change of dependencies.
set -eu
cd "$(dirname "$0")/.."

lock() {
    file=$1
    shift
    printf '%s\n' "$@" |
        .venv/bin/uv pip compile pyproject.toml --extra dev ${group:-} --constraints - --universal --python-version 3.11 \
            --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
            --upgrade --quiet --output-file "requirements/$file.txt"
}

lock dev 'apache-airflow==3.3.2'
# Airflow 3.2.2 sets no upper bounds that would keep out releases which break it.
lock airflow-3.2 'apache-airflow==3.2.2' 'fastapi<0.137' 'svcs==25.1.0'
lock airflow-3.1 'apache-airflow==3.1.8'
lock airflow-2.11 'apache-airflow==2.11.2'
group='--group peers'
lock peers 'apache-airflow==3.3.2'
