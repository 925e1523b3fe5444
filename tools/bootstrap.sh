#!/bin/sh
# Installs one lock file and the project itself into .venv: tools/bootstrap.sh requirements/local.txt
# Needs Python 3.11 or 3.12 with pip or venv; uv comes from PATH, else pinned and hashed into .stackyard/uv.
# Writes only to .venv, .stackyard and uv's own cache. Downloads no Python and uses the package index of this machine.
set -eu
cd "$(dirname "$0")/.."
lock=$1

export UV_PYTHON_DOWNLOADS=never
# The caller's environment must not decide what lands in ours.
unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME UV_PROJECT_ENVIRONMENT UV_SYSTEM_PYTHON

fail() {
    echo "stackyard: $*" >&2
    exit 1
}

# By what it prints: a program that is no Python may well end with 0.
supported() {
    found=$("$1" -c 'import sys; print("supported" if (3, 11) <= sys.version_info < (3, 13) else "")' 2>/dev/null) &&
        [ "$found" = supported ]
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" || fail "PYTHON=$PYTHON: $PYTHON $(describe "$PYTHON"), and Stackyard needs Python 3.11 or" \
            "3.12. Name one with make PYTHON=/path/to/python3.11 up, or leave PYTHON away: one on PATH is found."
        python=$PYTHON
        return
    fi
    for python in python3.11 python3.12 python3; do
        if supported "$python"; then return; fi
    done
    fail "Stackyard needs Python 3.11 or 3.12, and python3 $(describe python3): install one of them, or name one" \
        "that is not on PATH with make PYTHON=/path/to/python3.11 up."
}

describe() {
    if ! command -v "$1" >/dev/null 2>&1; then
        echo "is not there, or cannot be run"
        return
    fi
    found=$("$1" -c 'import platform; print("Python", platform.python_version())' 2>/dev/null) || found=
    case $found in
    "Python "*) echo "is $found" ;;
    *) echo "is not a Python that runs" ;;
    esac
}

find_uv() {
    own=.stackyard/uv
    if uv --version >/dev/null 2>&1; then
        uv=uv
        return
    fi
    uv=$own/bin/uv
    if "$uv" --version >/dev/null 2>&1; then return; fi

    echo "No uv on PATH: installing the pinned one into $own (18 MB)."
    mkdir -p .stackyard
    rm -rf "$own"
    if "$python" -m venv "$own" >/dev/null 2>&1; then
        pip_uv "$own/bin/python"
    elif rm -rf "$own" && "$python" -m pip --version >/dev/null 2>&1; then
        pip_uv "$python" --target "$own"
    else
        rm -rf "$own"
        fail "$python has neither venv nor pip, and uv is not on PATH: install one of the three" \
            "(on Debian and Ubuntu: apt-get install python3-venv)."
    fi
}

pip_uv() {
    pip_python=$1
    shift
    # PIP_USER: a configured user install and --target exclude each other.
    PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$pip_python" -m pip install --quiet \
        --no-deps --only-binary :all: --require-hashes -r requirements/uv.txt "$@" ||
        fail "pip could not install uv (its own message is above): check the network and pip's index, then try again."
}

make_venv() {
    if supported .venv/bin/python; then return; fi
    # --seed: Pulumi's toolchain `pip` stops without a pip in the environment.
    "$uv" venv --quiet --clear --seed --python "$python" .venv ||
        fail "uv could not make .venv with $python (its own message is above)."
}

install() {
    # A source archive must build with the locked setuptools, not with one fetched for the occasion: base comes first.
    for file in stacks/requirements.txt "$lock"; do
        "$uv" pip install --python .venv/bin/python --require-hashes --no-build-isolation -r "$file" ||
            fail "uv could not install $file (its own message is above): run the same command again, it goes on from here."
    done
    "$uv" pip install --python .venv/bin/python --quiet --no-deps --no-build-isolation --editable . ||
        fail "uv could not install the project itself into .venv (its own message is above)."
}

find_python
python=$("$python" -c 'import sys; print(sys.executable)')
find_uv
echo "Installing $lock with $("$python" --version), $("$uv" --version | cut -d ' ' -f 1,2)."
echo "  $(sed -n 's/^# downloads: /Downloads: /p' "$lock")"
echo "  Goes to:   .venv, and uv's cache $("$uv" cache dir)"
make_venv
install
echo "Installed: .venv takes $(du -sh .venv | cut -f 1)."
