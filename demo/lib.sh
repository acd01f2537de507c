# Where the demo's servers are noted, and how its steps are told. Sourced by run and stop.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LC_ALL=C.UTF-8
state=${XDG_RUNTIME_DIR:-/tmp}/kafka_fdw-demo-$(id -u)

# name=value lines, as kafka-broker and pg-cluster print them: noted server name
noted() { sed -n "s/^$2=//p" "$state/$1"; }

stop_servers() {
  # In a folder that another user made under this name, dir= could be anything.
  if ! [ -O "$state" ]; then return; fi
  if [ -s "$state/postgres" ]; then
    "$root/test/postgres/pg-cluster" stop --mode immediate --dir "$(noted postgres dir)" || true
  fi
  if [ -s "$state/kafka" ]; then "$root/test/broker/kafka-broker" stop --dir "$(noted kafka dir)" || true; fi
  rm -rf "$state"
}

# Runs a long command and says how long it took: timed "what it does" command…
timed() {
  local what=$1 started=$EPOCHREALTIME
  shift
  printf '%s …' "$what"
  "$@"
  printf ' %s s\n' "$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}')"
}

quiet_sql() { psql -X -q -h "$(noted postgres host)" -U postgres -d "${database:-demo}" -v ON_ERROR_STOP=1 "$@"; }

# Prints a statement and its result; a result of one value goes beside the statement.
sql() {
  local result
  printf '%s' "$1" | sed '1s/^/  => /; 2,$s/^/     /'
  result=$(quiet_sql -P footer=off -c "$1") || return
  if [ "$(wc -l <<<"$result")" = 3 ] && [[ $result != *'|'* ]]; then
    printf '   -- %s\n' "$(sed -n '3s/^ *//p' <<<"$result")"
  else
    printf '\n'
    if [ -n "$result" ]; then sed '2d; s/^/      /' <<<"$result"; fi
  fi
}
