#!/bin/sh
# Pins everything that development and the tests need, once for each Airflow that is supported:
# dev.txt for the newest, airflow-X.txt for the older ones, airflow-lowest.txt for the lowest versions that
# pyproject.toml admits, airflow-next.txt for the newest pre-release; peers.txt is dev.txt and what we are
# measured against; cluster.txt is dev.txt and a distributed executor; docs.txt builds the pages and checks a
# release. Run it after a change of dependencies.
set -eu
cd "$(dirname "$0")/.."

# compile FILE OPTION... reads constraints.
compile() {
    file=$1
    shift
    .venv/bin/uv pip compile pyproject.toml --constraints - --universal --python-version 3.11 \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --upgrade --quiet --output-file "$file" "$@"
}

# compile_group FILE GROUP pins a dependency group alone, without this package's own dependencies.
compile_group() {
    .venv/bin/uv pip compile --group "$2" --universal --python-version 3.11 \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --upgrade --quiet --output-file "requirements/$1.txt"
}

lock() {
    file=$1
    shift
    printf '%s\n' "$@" | compile "requirements/$file.txt" --extra dev ${options:-}
}

lock dev 'apache-airflow==3.3.2'
# Airflow 3.2.2 sets no upper bounds that would keep out releases which break it.
lock airflow-3.2 'apache-airflow==3.2.2' 'fastapi<0.137' 'svcs==25.1.0'
lock airflow-3.1 'apache-airflow==3.1.8'
lock airflow-2.11 'apache-airflow==2.11.2'
# Pre-releases of these three alone.
lock airflow-next 'apache-airflow>=3.4.0b0' 'apache-airflow-core>=3.4.0b0' 'apache-airflow-task-sdk>=1.4.0b0'
options='--group peers'
lock peers 'apache-airflow==3.3.2'
options='--group cluster'
lock cluster 'apache-airflow==3.3.2'
compile_group docs docs

# The two below are as of the release of their Airflow: much the same as Airflow's own constraints for it.
options='--exclude-newer 2025-09-15 --exclude-newer-package python-calamine=2026-11-30'
lock airflow-3.0 'apache-airflow==3.0.6' # later releases of fastapi and pyjwt break it
# What users install, at its lowest; the tools of the tests, which they do not, at their newest.
# python-calamine, which Airflow does not constrain, must be newer.
as_of='--exclude-newer 2025-05-27 --exclude-newer-package python-calamine=2026-11-30'
lowest=$(mktemp)
trap 'rm -f "$lowest"' EXIT
compile "$lowest" --extra sandbox --extra sql --resolution lowest-direct $as_of </dev/null
compile requirements/airflow-lowest.txt --extra dev $as_of <"$lowest"
