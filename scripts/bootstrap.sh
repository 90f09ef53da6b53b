#!/usr/bin/env bash
# Makes the checkout ready: .venv, the Python packages, the system libraries.
#   scripts/bootstrap.sh run|test
# Says nothing when nothing is to do. Safe to interrupt and to run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

purpose="${1:-run}"
venv=.venv
stamp="$venv/.installed"

say() { echo "bootstrap: $*" >&2; }
die() { say "$*"; exit 1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

may_use_apt() {
    command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

apt_command() { echo "sudo apt-get install -y --no-install-recommends $*"; }

apt_install() {
    may_use_apt || return 1
    say "installing with apt: $*"
    as_root apt-get -qq update >&2 || say "apt-get update failed; trying with the package lists there are"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
        install -y --no-install-recommends "$@" </dev/null >/dev/null
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

require_python() {
    python="$(find_python)" && return
    if ! command -v python3 >/dev/null && apt_install python3 python3-venv; then
        python="$(find_python)" && return
    fi
    die "Python 3.11 or newer is needed and none was found" \
        "(python3 is $(python3 -V 2>/dev/null || echo missing)). Install one, or name it: make PYTHON=/path/to/python3.12 $purpose"
}

make_venv() {
    local python package
    require_python
    if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        package="$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
        apt_install "$package" || die "$python cannot make virtual environments. On Debian and Ubuntu: $(apt_command "$package")"
    fi
    say "making $venv with $("$python" -V)"
    "$python" -m venv --clear "$venv"
}

# What the installed packages depend on: the dependency list and, for the editable install, where this checkout lies.
fingerprint() { { cat pyproject.toml; pwd; } | cksum; }

install_packages() {
    if [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint)" ] && [ -x "$venv/bin/python" ]; then
        return
    fi
    if ! { new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
        make_venv
    fi
    rm -f "$stamp"
    say "installing the Python packages into $venv (some minutes the first time)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[test]'
    fingerprint >"$stamp"
}

install_libraries() {
    [ "$(uname -s)" = Linux ] || return 0
    local missing
    missing="$("$venv/bin/python" -IS scripts/missing_libraries.py "$purpose")"
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086  # one word per package
    if apt_install $missing; then
        missing="$("$venv/bin/python" -IS scripts/missing_libraries.py "$purpose")"
        [ -n "$missing" ] || return 0
    fi
    say "system libraries are missing; going on without them. On Debian and Ubuntu:"
    # shellcheck disable=SC2086
    say "    $(apt_command $missing)"
}

install_packages
install_libraries
