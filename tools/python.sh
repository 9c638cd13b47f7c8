#!/bin/sh
# Prints a Python of version 3.11 or newer; on Debian as root, one is installed when there is none.
find_python() {
    for name in python3 python3.13 python3.12 python3.11 python3.14; do
        path=$(command -v "$name") || continue
        if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$path"
            return 0
        fi
    done
    return 1
}

find_python && exit 0
if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
    echo "set-up: installing python3 (apt)" >&2
    export DEBIAN_FRONTEND=noninteractive
    { apt-get -qq install -y --no-install-recommends python3 python3-venv ||
        { apt-get -qq update && apt-get -qq install -y --no-install-recommends python3 python3-venv; }; } > /dev/null
    find_python && exit 0
fi
echo "set-up: Python 3.11 or newer is needed: install it, so that python3 or python3.13 is on the PATH." >&2
exit 1
