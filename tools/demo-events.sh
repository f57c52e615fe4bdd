#!/usr/bin/env bash
# The third part of the demo: what was evaluated is summed up and reaches LaunchDarkly (played by a local program), exactly.
# A second or two.
#
# Starts all programs itself, on free ports, and leaves nothing behind. Variables as in demo-connected.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"

lib_dir=${FLAGSTONE_LIB_DIR:-$root/target/release}
include_dir=${FLAGSTONE_INCLUDE_DIR:-$root/include}
flagdata=${FLAGDATA:-$root/target/release/flagdata}
fakeld=${FAKELD:-$root/target/release/fakeld}
compiler=${CC:-cc}
sdk_key=sdk-demo
flags=(checkout.new-payment-form account.enhanced-filters admin.new-previews there.is-no-such-flag)

work=$(mktemp -d)
ld=''
clean_up() {
  if [ -n "$ld" ]; then kill "$ld" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap clean_up EXIT

"$flagdata" generate --flags 200 >"$work/data.json"
"$compiler" -std=c99 -Wall -Wextra -pedantic -O2 -o "$work/events" "$root/examples/c/events.c" \
  -I"$include_dir" -L"$lib_dir" -lflagstone -Wl,-rpath,"$lib_dir"
mkfifo "$work/in" "$work/out"
"$fakeld" --port 0 --data "$work/data.json" --sdk-key "$sdk_key" <"$work/in" >"$work/out" &
ld=$!
exec 8>"$work/in" 9<"$work/out"
IFS= read -r url <&9

printf '\nEvents: what was evaluated reaches LaunchDarkly (the local stand-in)\n'
"$work/events" "$url" "$sdk_key" "${flags[@]}" >"$work/evaluated"

# Lines up to an empty one: what the stand-in has received.
answer() {
  local line
  printf '%s\n' "$1" >&8
  while IFS= read -r line <&9 && [ -n "$line" ]; do printf '%s\n' "$line"; done
}
answer counts >"$work/summed"
printf '  %-30s %-14s %10s %12s\n' flag value evaluated LaunchDarkly
join -t $'\t' -a 1 -a 2 -e - -o 0,1.2,2.2 \
  <(sed 's/\t/\v/' "$work/evaluated" | sort) <(sed 's/\t/\v/' "$work/summed" | sort) |
  while IFS=$'\t' read -r name here there; do
    printf '  %-30s %-14s %10s %12s\n' "${name%%$'\v'*}" "${name#*$'\v'}" "$here" "$there"
  done
answer kinds >"$work/kinds"
while IFS=$'\t' read -r kind number; do printf '  %s events of the kind %s\n' "$number" "$kind"; done <"$work/kinds"
printf '  %s payloads, %s bytes on the wire\n' $(answer sizes)

if ! cmp -s "$work/evaluated" "$work/summed"; then
  say "what LaunchDarkly received is not what was evaluated"
  exit 1
fi
printf '\nWhat LaunchDarkly received is what was evaluated.\n'
