#!/bin/sh
# Builds the wheel and the source distribution into dist/, checks them, and uses the wheel in an empty environment,
# without and with the extras, as after `pip install`. `make dist` runs it; it uploads nothing.
set -eu
cd "$(dirname "$0")/.."
tools=$PWD/.venv-docs/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect CODE TEXT COMMAND...: the command ends with this exit code, and prints this text.
expect() {
    code=$1 text=$2
    shift 2
    ended=0
    printed=$(cd "$work" && "$@" 2>&1) || ended=$?
    [ "$ended" = "$code" ] || fail "$* ended with $ended: $printed"
    case $printed in *"$text"*) echo "ok: $*" ;; *) fail "$* did not print '$text': $printed" ;; esac
}

# uv installs in a fraction of the time; where only pip is set up, pip has the last word.
install() {
    "$tools/uv" pip install --quiet --python "$work/env/bin/python" --constraints requirements/dev.txt "$@" ||
        "$work/env/bin/python" -m pip install --quiet --constraint requirements/dev.txt "$@"
}

echo "=== Build"
rm -rf dist
"$tools/hatchling" build
"$tools/twine" check --strict dist/*
set -- dist/*.whl
[ $# = 1 ] || fail "one wheel is expected: $*"
wheel=$PWD/$1
version=$("$tools/python" -c 'import airflow_provider_p2psms as p; print(p.__version__)')
case $wheel in *"/airflow_provider_p2psms-$version-py3-none-any.whl") ;; *) fail "$wheel is not version $version" ;; esac

echo "=== The source distribution makes the same wheel"
mkdir "$work/sdist" "$work/again"
tar -xzf "dist/airflow_provider_p2psms-$version.tar.gz" -C "$work/sdist" --strip-components 1
(cd "$work/sdist" && "$tools/hatchling" build -t wheel -d "$work/again" >/dev/null)
cmp "$wheel" "$work/again/$(basename "$wheel")" || fail "the wheels differ"

echo "=== The wheel alone, in an empty environment"
"$tools/python" -m venv "$work/env"
install "$wheel"
PATH=$work/env/bin:$PATH
export PATH AIRFLOW_HOME="$work/airflow"
printf 'recipient,message\n0912 000 0001,Hello\n' >"$work/rows.csv"
expect 0 "COMMAND" p2psms --help
expect 0 '"good": 1' p2psms check rows.csv --offline --json
expect 0 "0 ledgers" p2psms ledger list .
expect 2 "--to" p2psms verify
expect 0 "$version" python -c 'import airflow_provider_p2psms; print(airflow_provider_p2psms.__version__)'
expect 0 "airflow-provider-p2psms" airflow providers list
expect 0 "PeerToPeerFileOperator" python -c 'from airflow_provider_p2psms.operators.sms import *; print(PeerToPeerFileOperator)'

echo "=== A library of an extra is missing"
python -m pip uninstall --quiet --yes python-multipart # newer Airflows bring it
expect 1 "airflow-provider-p2psms[sandbox]" p2psms sandbox

echo "=== What the pages say to type"
python -m pip uninstall --quiet --yes airflow-provider-p2psms
grep -h '^pip install' README.md docs/*.md | sort -u >"$work/pip.sh"
export PIP_FIND_LINKS="$PWD/dist ${PIP_FIND_LINKS:-}" PIP_CONSTRAINT="$PWD/requirements/dev.txt"
while read -r line; do
    expect 0 "" sh -c "$line"
done <"$work/pip.sh"
expect 0 "--outbox-suffix" p2psms sandbox --help

echo "=== The wheel with its extras"
install "$wheel[sandbox,sql]"
cat >"$work/send.py" <<'PY'
import os

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.transfers.sql_to_sms import SQLToSMSOperator

with Sandbox() as sandbox:
    os.environ["AIRFLOW_CONN_P2PSMS_DEFAULT"] = sandbox.connection_uri
    PeerToPeerSMSOperator(task_id="t", messages=[("0912 000 0001", "Hello")]).execute({})
    print(sandbox.texts_arrived, SQLToSMSOperator.__name__)
PY
expect 0 "['Hello'] SQLToSMSOperator" python send.py
echo "=== dist/ is as it should be."
