#!/bin/sh
# Backups of Draftsman's Postgres, by that server's own pg_dump. POSIX sh with awk: it runs in the image of the server.
#
#   backup.sh once                  a dump now
#   backup.sh when-due              a dump where the newest is BACKUP_HOURS old
#   backup.sh loop                  the same, for ever
#   backup.sh list                  the dumps, newest first
#   backup.sh healthy               succeeds while the newest dump is young enough
#   backup.sh restore FILE [--force]
#
# PGHOST, PGPORT, PGUSER, PGPASSWORD (or PGPASSWORD_FILE) and PGDATABASE say which database. A dump holds all that the
# database holds, logs of private repositories too: it is readable for its owner alone.
set -eu
umask 077

folder=${BACKUP_DIRECTORY:-/backups}
hours=${BACKUP_HOURS:-${DRAFTSMAN_BACKUP_HOURS:-24}}
keep_days=${BACKUP_DAYS:-${DRAFTSMAN_BACKUP_DAYS:-7}}
keep_weeks=${BACKUP_WEEKS:-${DRAFTSMAN_BACKUP_WEEKS:-4}}
database=${PGDATABASE:-draftsman}

say() { printf '%s backup: %s\n' "$(date -u +%H:%M:%S)" "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

dumps() { (cd "$folder" 2>/dev/null && ls -1 2>/dev/null | grep -E '^draftsman-[0-9]{8}T[0-9]{6}Z\.dump$' | sort -r) || true; }

# Days since a day long ago, of a date.
calendar='
    function days(t, y, m, d) {
        y = substr(t, 1, 4) + 0; m = substr(t, 5, 2) + 0; d = substr(t, 7, 2) + 0
        if (m <= 2) { y--; m += 12 }
        return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + d
    }
    function seconds(t) {
        return days(t) * 86400 + substr(t, 9, 2) * 3600 + substr(t, 11, 2) * 60 + substr(t, 13, 2)
    }'

# Seconds since the newest dump, by its name: files may be copied about. Empty where there is none.
age() {
    dumps | head -n 1 | awk -v now="$(date -u +%Y%m%d%H%M%S)" "$calendar"'
        { gsub(/[^0-9]/, ""); printf "%.0f\n", seconds(now) - seconds($0) }'
}

# Of all dumps, newest first: those that are the newest neither of one of the last days nor of one of the last weeks.
superfluous() {
    awk -v most_days="$keep_days" -v most_weeks="$keep_weeks" "$calendar"'
        {
            name = $0; gsub(/[^0-9]/, "")
            day = days($0); week = int((day + 1) / 7); kept = 0
            if (!(day in seen_day) && found_days < most_days) { seen_day[day] = 1; found_days++; kept = 1 }
            if (!(week in seen_week) && found_weeks < most_weeks) { seen_week[week] = 1; found_weeks++; kept = 1 }
            if (!kept) print name
        }'
}

once() {
    mkdir -p "$folder"
    new=$folder/.new-$$
    trap 'rm -f "$new"' EXIT
    pg_dump --format=custom --no-password --file="$new" "$database" || fail "pg_dump failed, no dump was made"
    # Whole, or not there at all.
    pg_restore --list "$new" > /dev/null || fail "the dump cannot be read, and was thrown away"
    sync
    name=draftsman-$(date -u +%Y%m%dT%H%M%SZ).dump
    mv "$new" "$folder/$name"
    trap - EXIT
    say "made $folder/$name ($(du -h "$folder/$name" | cut -f 1))"
    dumps | superfluous | while read -r old; do
        rm -f "$folder/$old"
        say "removed $old: kept are $keep_days days and $keep_weeks weeks"
    done
}

when_due() {
    [ "$hours" != 0 ] || return 0
    seconds=$(age)
    # One of the future tells nothing: a clock was wrong.
    if [ -z "$seconds" ] || [ "$seconds" -lt 0 ] || [ "$seconds" -ge $((hours * 3600)) ]; then once; fi
}

loop() {
    trap 'exit 0' TERM INT
    while :; do
        (when_due) || true
        sleep 60 &
        wait $!
    done
}

healthy() {
    [ "$hours" != 0 ] || return 0
    seconds=$(age)
    [ -n "$seconds" ] || fail "there is no dump in $folder"
    [ "$seconds" -ge 0 ] || fail "the newest dump is of the future: this clock, or that of its time, is wrong"
    [ "$seconds" -lt $((hours * 5400)) ] || fail "the newest dump is $((seconds / 3600)) hours old"
}

ask() { psql --no-password --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$1" --command="$2"; }

restore() {
    file=$1
    [ -f "$file" ] || file=$folder/$1
    [ -f "$file" ] || fail "$1 is neither a file nor a dump in $folder"
    pg_restore --list "$file" > /dev/null || fail "$file is no dump of a database"
    there=$(ask postgres "SELECT count(*) FROM pg_database WHERE datname = '$database'")
    if [ "$there" = 1 ]; then
        others=$(ask postgres "SELECT count(*) FROM pg_stat_activity WHERE datname = '$database'")
        [ "$others" = 0 ] || fail "$others connections use the database: stop Draftsman (API and worker) first"
        tables=$(ask "$database" "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        if [ "$tables" != 0 ] && [ "${2:-}" != --force ]; then
            fail "the database is not empty: with --force it is set aside, under another name, and the dump takes its place"
        fi
    fi
    new=${database}_restored_$$
    ask postgres "DROP DATABASE IF EXISTS \"$new\""
    ask postgres "CREATE DATABASE \"$new\""
    trap 'ask postgres "DROP DATABASE IF EXISTS \"$new\""' EXIT
    trap 'exit 130' INT TERM
    # Into a database beside it: until all is there, nothing has changed.
    if ! pg_restore --no-password --no-owner --exit-on-error --dbname="$new" "$file"; then
        fail "the dump could not be restored; nothing has changed"
    fi
    trap - EXIT INT TERM
    aside=
    if [ "$there" = 1 ]; then
        if [ "$tables" = 0 ]; then
            ask postgres "DROP DATABASE \"$database\""
        else
            aside=${database}_before_$(date -u +%Y%m%dt%H%M%Sz)
            ask postgres "ALTER DATABASE \"$database\" RENAME TO \"$aside\""
            say "what was there is set aside as $aside; when all is well: DROP DATABASE \"$aside\""
        fi
    fi
    if ! ask postgres "ALTER DATABASE \"$new\" RENAME TO \"$database\""; then
        [ -z "$aside" ] || ask postgres "ALTER DATABASE \"$aside\" RENAME TO \"$database\""
        fail "what was restored stands in $new, since it could not take its place: is anything using it?"
    fi
    say "restored $file; start Draftsman again"
}

# In its container it starts as root, for a volume or folder that is root's, and goes on as the server's user.
if [ "$(id -u)" = 0 ] && [ "${BACKUP_USER:-}" ]; then
    mkdir -p "$folder"
    # Its own, with the dumps that were copied into it; whatever else lies there is not touched.
    chown "$BACKUP_USER" "$folder"
    find "$folder" -maxdepth 1 -name '*.dump' -exec chown "$BACKUP_USER" {} +
    command="exec sh '$0'"
    for word in "$@"; do command="$command '$word'"; done
    exec su -s /bin/sh -c "$command" "$BACKUP_USER"
fi

# Read here, not before: a secret of a swarm's is the server's user's to read.
if [ "${PGPASSWORD_FILE:-}" ]; then
    PGPASSWORD=$(cat "$PGPASSWORD_FILE")
    export PGPASSWORD
fi

case "${1:-}" in
once | loop | healthy) "$1" ;;
when-due) when_due ;;
list) dumps ;;
restore)
    [ $# -ge 2 ] || fail "restore what? There are: $(dumps | tr '\n' ' ')"
    restore "$2" "${3:-}"
    ;;
*) fail "say one of: once, when-due, loop, list, healthy, restore FILE [--force]" ;;
esac
