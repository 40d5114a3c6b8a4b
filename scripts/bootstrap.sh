#!/usr/bin/env bash
# Makes .venv and fills it from uv.lock. Needs Python >= 3.11 and pip; called by the Makefile.
# Usage: scripts/bootstrap.sh core|dev     PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${1:?core or dev}
venv=$PWD/.venv
unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK=1
# uv must use the environment made here, never fetch an interpreter.
export UV_PROJECT_ENVIRONMENT=$venv UV_PYTHON_DOWNLOADS=never

fail() {
    echo "$*" >&2
    exit 1
}

recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        recent "$PYTHON" || fail "PYTHON=$PYTHON doesn't run or is older than 3.11: name a Python 3.11 or newer."
        echo "$PYTHON"
        return
    fi
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if recent "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail 'No Python 3.11 or newer was found: install one, or name it with make PYTHON=/path/to/python3.'
}

make_venv() {
    local python=$1 problem
    rm -rf "$venv"
    if problem=$("$python" -m venv "$venv" 2>&1); then
        return
    fi
    # Some distributions ship venv without ensurepip: then the pip that is already there fills the environment.
    rm -rf "$venv"
    if "$python" -m venv --without-pip "$venv" >/dev/null 2>&1 &&
        "$python" -m pip --python "$venv/bin/python" install --quiet pip; then
        return
    fi
    rm -rf "$venv"
    fail "$problem
$python can't make a virtual environment: install its venv module (Debian and Ubuntu: apt install python3-venv)."
}

if ! recent "$venv/bin/python"; then
    python=$(choose_python)
    make_venv "$python"
fi

echo "Installing into .venv ($what, once)"
pip() {
    "$venv/bin/python" -m pip "$@"
}
if pip install --quiet 'uv>=0.8'; then
    case $what in
        core) "$venv/bin/uv" sync --quiet --frozen --inexact --no-default-groups ;;
        dev) "$venv/bin/uv" sync --quiet --frozen --inexact ;;
        *) fail "$what is neither core nor dev." ;;
    esac
else
    echo 'uv could not be installed: using pip, which takes the newest versions instead of the locked ones.' >&2
    pip install --quiet --upgrade 'pip>=25.1'
    case $what in
        core) pip install --quiet --editable . ;;
        dev) pip install --quiet --editable . --group dev ;;
        *) fail "$what is neither core nor dev." ;;
    esac
fi
