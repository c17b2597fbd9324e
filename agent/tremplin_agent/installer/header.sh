#!/bin/sh
# Tremplin Jump Client installer: this shell header, then a zip that Python runs.
# sh THIS-FILE --help
# shellcheck disable=SC2034 # the server writes the key info here, the program reads it
TREMPLIN_KEY_INFO="@SLOT@"
# shellcheck disable=SC2034 # the server reads it
TREMPLIN_VERSION="@VERSION@"
TREMPLIN_PLATFORM="@PLATFORM@"

tremplin_fail() { # EXIT-STATUS CODE ENGLISH FRENCH
    case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in fr*) set -- "$1" "$2" "$4" ;; esac
    printf 'tremplin-installer: %s: %s\n' "$2" "$3" >&2
    logger -t tremplin-installer -p daemon.err -- "$2: $3" 2>/dev/null
    exit "$1"
}

# What runs on a Mac must be of its own kind, and for root also root's own: Homebrew's Python
# belongs to a person. /usr/bin/python3 is left alone: it may be Apple's stub, which opens a
# window instead of running.
tremplin_suits() { # PYTHON
    if [ -n "$tremplin_machine" ]; then
        case $1 in /usr/bin/*) return 1 ;; esac
        [ "$(id -u)" != 0 ] || [ "$(stat -L -f %u "$1" 2>/dev/null)" = 0 ] || return 1
    fi
    "$1" -I -S -c 'import sys, os, ssl, zlib, asyncio, zipfile, json
sys.exit(sys.version_info < (3, 9) or sys.implementation.name != "cpython" or
         sys.argv[1] not in ("", os.uname().machine))' "$tremplin_machine" >/dev/null 2>&1
}

tremplin_machine=''
tremplin_found=$(uname -s)-$(uname -m)
case $tremplin_found in
Linux-x86_64 | Linux-amd64) tremplin_found=linux-64 ;;
Linux-aarch64 | Linux-arm64) tremplin_found=linux-arm64 ;;
Darwin-*)
    # A shell that is translated for an Intel processor does not know what it runs on.
    tremplin_found=macos-64 tremplin_machine=x86_64
    if [ "$(sysctl -n hw.optional.arm64 2>/dev/null)" = 1 ]; then
        tremplin_found=macos-arm64 tremplin_machine=arm64
    fi
    ;;
esac
if [ "$tremplin_found" != "$TREMPLIN_PLATFORM" ]; then
    tremplin_fail @PLATFORM_STATUS@ install.platform \
        "@PLATFORM_EN@" \
        "@PLATFORM_FR@"
fi

# The candidates go before the parameters, and a -- between them.
set -- -- "$@"
if [ -n "$tremplin_machine" ]; then
    # By its whole path, so that it can be told from the stub.
    tremplin_python=$(command -v python3) && set -- "$tremplin_python" "$@"
    set -- @MAC_PYTHONS@ "$@"
else
    set -- /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11 \
        python3.10 python3.9 /usr/local/bin/python3 /opt/saltstack/salt/bin/python3 \
        /usr/libexec/platform-python "$@"
fi
tremplin_python=
while [ "$1" != -- ]; do
    if [ -z "$tremplin_python" ] && tremplin_suits "$1"; then tremplin_python=$1; fi
    shift
done
shift
if [ -n "$tremplin_python" ]; then exec "$tremplin_python" -I -S -B "$0" "$@"; fi
tremplin_fail @PYTHON_STATUS@ install.python_missing \
    "@PYTHON_EN@" \
    "@PYTHON_FR@"
