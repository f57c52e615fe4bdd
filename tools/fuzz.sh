#!/usr/bin/env bash
# Feeds every fuzz target with bytes that lead to ever new code (libFuzzer, address sanitizer), one after the other, and says in a
# table what came of it. `make fuzz` calls it.
#
#     FUZZ_SECONDS    for how long each target runs; 30
#     FUZZ_TARGETS    names of some targets; all
#
# A nightly toolchain is needed (`rustup toolchain install nightly`), and a compiler for C++; cargo-fuzz is installed below
# target/tools where it is missing. What was found stays: target/fuzz/corpus has the inputs that lead to new code, target/fuzz/found
# those that fail. Each of these is a defect: give it to a test first.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
cd "$root" || exit 1
target=${CARGO_TARGET_DIR:-$root/target}
export PATH=$target/tools/bin:$PATH
seconds=${FUZZ_SECONDS:-30}
version=0.13.2

toolchain=${FUZZ_TOOLCHAIN:-nightly}
if ! command -v rustup >/dev/null || ! rustup run "$toolchain" rustc --version >/dev/null 2>&1; then
  say "fuzzing needs Rust's nightly toolchain, and there is none: rustup toolchain install nightly"
  say "the seeds are tested without it: cargo test --lib fuzzing"
  exit 1
fi
find_or_install c++ g++ || exit 1
if ! command -v cargo-fuzz >/dev/null && ! cargo install --quiet --locked --root "$target/tools" "cargo-fuzz@$version"; then
  say "cargo-fuzz is missing, and crates.io cannot be reached to install it: cargo install cargo-fuzz"
  exit 1
fi

mapfile -t known < <(basename -s .rs -- fuzz/targets/*.rs)
read -ra chosen <<<"${FUZZ_TARGETS:-${known[*]}}"
for name in "${chosen[@]}"; do
  if [ ! -f "fuzz/targets/$name.rs" ]; then
    say "there is no target $name; there are: ${known[*]}"
    exit 1
  fi
done

# Built apart: with other flags than everything else.
export CARGO_TARGET_DIR=$target/fuzz/build
unset RUSTFLAGS
host=$(rustup run "$toolchain" rustc -vV | sed -n 's/^host: //p')
if [ "${#chosen[@]}" -eq "${#known[@]}" ]; then
  cargo "+$toolchain" fuzz build || exit 1
else
  for name in "${chosen[@]}"; do
    cargo "+$toolchain" fuzz build "$name" || exit 1
  done
fi

# What libFuzzer says last: `stat::name: number`.
stat_of() {
  sed -n "s/^stat::$1: *//p" "$2" | tail -n 1
}

failed=()
rows=()
for name in "${chosen[@]}"; do
  corpus=$target/fuzz/corpus/$name found=$target/fuzz/found/$name log=$target/fuzz/$name.log
  mkdir -p "$corpus" "$found"
  words=()
  [ -f "fuzz/dictionaries/$name" ] && words=(-dict="fuzz/dictionaries/$name")
  outcome=holds
  # Files in what is kept in memory, where there is such a folder.
  TMPDIR=$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}") \
    nice -n 10 "$CARGO_TARGET_DIR/$host/release/$name" "$corpus" "fuzz/seeds/$name" -artifact_prefix="$found/" \
    -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 ${words[@]+"${words[@]}"} \
    >"$log" 2>&1 || outcome="FAILS: $log, $found"
  [ "$outcome" = holds ] || failed+=("$name")
  covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
  rows+=("$(printf '%-16s %12s %10s %10s %8s  %s' "$name" "$(stat_of number_of_executed_units "$log")" \
    "$(stat_of average_exec_per_sec "$log")" "${covered#cov: }" "$(stat_of slowest_unit_time_sec "$log")" "$outcome")")
  echo "${rows[-1]}"
done

echo
printf '%-16s %12s %10s %10s %8s  %s\n' target executions 'a second' coverage 'slowest s' outcome
printf '%s\n' "${rows[@]}"
if [ ${#failed[@]} -gt 0 ]; then
  say "failed: ${failed[*]}"
  exit 1
fi
