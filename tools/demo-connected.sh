#!/usr/bin/env bash
# The second part of the demo: flags come from LaunchDarkly (played by a local program), are served from memory and kept in
# Redis, and outages of either hurt nobody. About ten seconds.
#
# Starts Redis, the fake LaunchDarkly and all programs itself, on free ports, and leaves nothing behind. Variables as in
# demo.sh, and FAKELD: the program that plays LaunchDarkly.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"

lib_dir=${FLAGSTONE_LIB_DIR:-$root/target/release}
include_dir=${FLAGSTONE_INCLUDE_DIR:-$root/include}
flagdata=${FLAGDATA:-$root/target/release/flagdata}
fakeld=${FAKELD:-$root/target/release/fakeld}
compiler=${CC:-cc}
prefix=connected
flag=checkout.new-payment-form
sdk_key=sdk-demo

find_or_install_idle redis-server
work=$(mktemp -d)
declare -A pids=()
clean_up() {
  kill -CONT "${REDIS_PID:-0}" 2>/dev/null || true
  # The programs first, or they would tell that their source is gone.
  local name
  for name in "${!pids[@]}"; do
    [ "$name" = ld ] || { kill "${pids[$name]}" && wait "${pids[$name]}"; } 2>/dev/null || true
  done
  kill "${pids[ld]:-}" 2>/dev/null || true
  stop_private_redis
  rm -rf "$work"
}
trap clean_up EXIT

headline() {
  printf '\n%s\n' "$*"
}

# Starts `connected NAME …`; its lines go to the terminal and to a file that is waited on.
start_program() {
  local name=$1
  mkfifo "$work/$name.in"
  : >"$work/$name.log"
  "$work/connected" "$name" "$REDIS_URL" "$prefix" "$flag" "${@:2}" <"$work/$name.in" > >(tee "$work/$name.log") &
  pids[$name]=$!
  exec {held}>"$work/$name.in"
}

# Waits until the last line of a program matches.
wait_for() {
  local name=$1 pattern=$2 try
  for try in $(seq 1 400); do
    if tail -n 1 "$work/$name.log" | grep -q "$pattern"; then return 0; fi
    sleep 0.05
  done
  say "$name did not come to: $pattern"
  exit 1
}

start_launchdarkly() {
  # Not a process substitution for input: the program ends with it.
  [ -p "$work/ld.in" ] || mkfifo "$work/ld.in"
  "$fakeld" --port "${ld_port:-0}" --data "$work/data.json" --sdk-key "$sdk_key" <"$work/ld.in" >"$work/ld.out" &
  pids[ld]=$!
  exec {ld_in}>"$work/ld.in"
  local try
  for try in $(seq 1 200); do
    if [ -s "$work/ld.out" ]; then break; fi
    sleep 0.02
  done
  ld_url=$(head -n 1 "$work/ld.out")
  ld_port=${ld_url##*:}
}

stop_launchdarkly() {
  kill "${pids[ld]}" && wait "${pids[ld]}" 2>/dev/null || true
  exec {ld_in}>&-
}

start_private_redis "$work"
"$flagdata" generate --flags 200 >"$work/data.json"
"$compiler" -std=c99 -Wall -Wextra -pedantic -O2 -o "$work/connected" "$root/examples/c/connected.c" \
  -I"$include_dir" -L"$lib_dir" -lflagstone -Wl,-rpath,"$lib_dir"

headline "Connected mode: LaunchDarkly (a local stand-in with 200 flags) -> Flagstone -> Redis"
start_launchdarkly
start_program A "$ld_url" "$sdk_key"
wait_for A "source VALID.*answers.*= false"

headline "LaunchDarkly goes away: what A holds stays in force"
stop_launchdarkly
wait_for A "source INTERRUPTED"

headline "B starts meanwhile: the last known flags come from Redis"
start_program B "$ld_url" "$sdk_key"
wait_for B "source INIT.*= false, last known"

headline "LaunchDarkly is back"
start_launchdarkly
wait_for A "source VALID"
wait_for B "source VALID"

headline "Redis hangs, and a change is made: A and B serve it at once"
kill -STOP "$REDIS_PID"
printf 'fallthrough %s 0\n' "$flag" >&"$ld_in"
wait_for A "away.*= true"
wait_for B "away.*= true"

headline "Redis goes on: the change arrives there, and C, which reads Redis alone, serves it"
kill -CONT "$REDIS_PID"
start_program C
wait_for A "answers"
wait_for C "client VALID.*= true$"
printf '\nEvery outage is over, and nothing was lost.\n'
