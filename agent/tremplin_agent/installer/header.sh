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

tremplin_found=$(uname -s)-$(uname -m)
case $tremplin_found in
Linux-x86_64 | Linux-amd64) tremplin_found=linux-64 ;;
Linux-aarch64 | Linux-arm64) tremplin_found=linux-arm64 ;;
esac
if [ "$tremplin_found" != "$TREMPLIN_PLATFORM" ]; then
    tremplin_fail @PLATFORM_STATUS@ install.platform \
        "@PLATFORM_EN@" \
        "@PLATFORM_FR@"
fi

for tremplin_python in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11 \
    python3.10 python3.9 /usr/local/bin/python3 /opt/saltstack/salt/bin/python3 \
    /usr/libexec/platform-python; do
    if "$tremplin_python" -I -S -c 'import sys, ssl, zlib, asyncio, zipfile, json
sys.exit(sys.version_info < (3, 9) or sys.implementation.name != "cpython")' >/dev/null 2>&1; then
        exec "$tremplin_python" -I -S -B "$0" "$@"
    fi
done
tremplin_fail @PYTHON_STATUS@ install.python_missing \
    "@PYTHON_EN@" \
    "@PYTHON_FR@"
