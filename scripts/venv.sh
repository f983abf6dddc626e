#!/bin/sh
# Makes a virtual environment with pinned packages and this package, editable:
#   scripts/venv.sh DIRECTORY REQUIREMENTS
# Takes $PYTHON, or else the first Python 3.11 to 3.13 that runs. An environment that another Python than $PYTHON
# made is made anew. The Makefile decides when it is due.
set -eu

dir=$1
requirements=$2
UV=uv==0.13.9

newest=13
case $requirements in *airflow-2.* | *airflow-lowest* | *airflow-3.0*) newest=12 ;; esac # older Airflows allow no 3.13

# A name on the PATH proves nothing: version managers leave shims for Pythons that are not there.
fits() {
    "$1" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 to 3.$newest is needed${PYTHON:+, and PYTHON=$PYTHON is none}. Name one: make PYTHON=/path/to/python3" >&2
    return 1
}

name_of() {
    "$1" -c "import sys; print(sys.version, sys.base_prefix)" 2>/dev/null
}

is_wanted() {
    [ -z "${PYTHON:-}" ] || [ "$(name_of "$PYTHON")" = "$(name_of "$1")" ]
}

if ! fits "$dir/bin/python" || ! is_wanted "$dir/bin/python"; then
    python=$(find_python)
    echo "Making $dir with $("$python" --version)"
    if ! "$python" -m venv --clear "$dir"; then
        echo "$python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi

# uv installs in a fraction of the time; where only pip is set up for the local index, pip has the last word.
install() {
    "$dir/bin/uv" pip install --quiet --python "$dir/bin/python" --compile-bytecode "$@" ||
        "$dir/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

"$dir/bin/python" -m pip install --quiet --disable-pip-version-check "$UV" ||
    echo "No uv here; pip takes its place." >&2
install --requirement "$requirements"
# Nothing is fetched for the build: hatchling is among the pinned packages.
install --no-deps --no-build-isolation --editable .
