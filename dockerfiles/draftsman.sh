#!/bin/sh
# `draftsman` inside its own image: the program, never as root.
#
# Compose starts these containers as root for two things that only root can do there: join the group of the engine's
# socket, which has another number on every host, and read the private key's file, which only its owner on the host
# may read. Root's rights are given up for good before the program starts; `docker compose exec` comes through here,
# too. A container that is started as another user (the image's own is 10001) goes straight on.
set -eu

program=/opt/draftsman/bin/draftsman
user=10001
home=${DRAFTSMAN_HOME:-/var/lib/draftsman}
key=${GITHUB_PRIVATE_KEY_FILE:-}
socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
socket=${socket#unix://}

[ "$(id -u)" = 0 ] || exec "$program" "$@"

groups=$user
if [ -S "$socket" ]; then
    groups=$groups,$(stat -L -c %g "$socket")
fi

# A version that ran as root may have left it as root's.
if [ -d "$home" ] && [ "$(stat -c %u "$home")" != "$user" ]; then
    chown -R "$user:$user" "$home"
fi

# A swarm gives it to the user whom it is told.
if [ -n "$key" ] && [ -f "$key" ] && [ "$(stat -L -c %u "$key")" != "$user" ]; then
    copy=$(mktemp /run/draftsman/key.XXXXXX)
    cat "$key" > "$copy"
    chown "$user:$user" "$copy"
    mv "$copy" /run/draftsman/private-key.pem
    export GITHUB_PRIVATE_KEY_FILE=/run/draftsman/private-key.pem
fi

exec setpriv --reuid="$user" --regid="$user" --groups="$groups" --no-new-privs -- "$program" "$@"
