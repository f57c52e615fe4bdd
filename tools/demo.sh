#!/usr/bin/env bash
# Shows the main job in a few seconds: a C program evaluates flags that another program has put into Redis, and serves a
# change of one of them a moment after it was written.
#
# Starts a Redis server of its own on a free port and leaves nothing behind. `make demo` builds what it needs and sets:
#   FLAGSTONE_LIB_DIR        folder with libflagstone.so and libflagstone.so.1
#   FLAGSTONE_INCLUDE_DIR    folder with flagstone.h
#   FLAGDATA                 the program that makes and writes flags
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"

lib_dir=${FLAGSTONE_LIB_DIR:-$root/target/release}
include_dir=${FLAGSTONE_INCLUDE_DIR:-$root/include}
flagdata=${FLAGDATA:-$root/target/release/flagdata}
compiler=${CC:-cc}
prefix=launchdarkly
flag=checkout.new-payment-form

for needed in "$lib_dir/libflagstone.so" "$lib_dir/libflagstone.so.1" "$include_dir/flagstone.h" "$flagdata"; do
  if [ ! -e "$needed" ]; then
    say "$needed is missing: run make build, or make demo"
    exit 1
  fi
done
if ! command -v "$compiler" >/dev/null; then
  say "there is no C compiler called $compiler"
  exit 1
fi
find_or_install_idle redis-server

work=$(mktemp -d)
demo=''
clean_up() {
  if [ -n "$demo" ]; then
    kill "$demo" 2>/dev/null || true
  fi
  stop_private_redis
  rm -rf "$work"
}
trap clean_up EXIT

start_private_redis "$work"
"$flagdata" fill --redis "$REDIS_URL" --prefix "$prefix" --flags 200

"$compiler" -std=c99 -Wall -Wextra -pedantic -O2 -o "$work/demo" "$root/examples/c/demo.c" \
  -I"$include_dir" -L"$lib_dir" -lflagstone -Wl,-rpath,"$lib_dir"

# The demo program reads when the change was written from its standard input, and says on its standard output when it is
# ready for it; what it prints is passed on.
mkfifo "$work/in" "$work/out"
"$work/demo" "$REDIS_URL" "$prefix" "$flag" <"$work/in" >"$work/out" &
demo=$!
exec 8>"$work/in"
while IFS= read -r line; do
  printf '%s\n' "$line"
  case $line in
    "waiting for a change"*)
      printf '  another process runs: flagdata set %s --fallthrough 0\n' "$flag"
      "$flagdata" set --redis "$REDIS_URL" --prefix "$prefix" "$flag" --fallthrough 0 >&8
      ;;
  esac
done <"$work/out"
exec 8>&-

status=0
wait "$demo" || status=$?
demo=''
exit "$status"
