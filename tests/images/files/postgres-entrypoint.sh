#!/bin/sh
# What the official image's entrypoint does with POSTGRES_DB, POSTGRES_USER and POSTGRES_PASSWORD.
set -eu

case "${1:--}" in
-) set -- postgres ;;
-*) set -- postgres "$@" ;;
esac
[ "$1" = postgres ] || exec "$@"
: "${PGDATA:=/var/lib/postgresql/data}"

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /run/postgresql
    chown -R postgres:postgres "$PGDATA" /run/postgresql
    chmod 700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

read_secret() {
    eval "value=\${$1:-}; file=\${$1_FILE:-}"
    if [ -z "$value" ] && [ -n "$file" ]; then value=$(cat "$file"); fi
    printf %s "$value"
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=$(read_secret POSTGRES_USER)
    user=${user:-postgres}
    database=$(read_secret POSTGRES_DB)
    database=${database:-$user}
    password=$(read_secret POSTGRES_PASSWORD)
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$password" ] && [ "$method" != trust ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    printf '%s\n' "$password" > /tmp/pwfile
    # shellcheck disable=SC2086
    initdb --username="$user" ${password:+--pwfile=/tmp/pwfile} ${POSTGRES_INITDB_ARGS:-} \
        --auth-local=trust --auth-host="$method" --encoding=UTF8 "$PGDATA"
    rm /tmp/pwfile
    echo "host all all all $method" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    echo "unix_socket_directories = '/run/postgresql,/tmp'" >> "$PGDATA/postgresql.conf"
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
    if [ "$database" != postgres ]; then createdb -h /run/postgresql -U "$user" "$database"; fi
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
        *.sh) . "$file" ;;
        *.sql) psql -h /run/postgresql -v ON_ERROR_STOP=1 -U "$user" -d "$database" -f "$file" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    echo "PostgreSQL init process complete; ready for start up."
fi

exec "$@"
