#!/usr/bin/env bash
# The tests of the .NET binding. `make test` has set up what is needed and built the library.
#     tools/test-dotnet.sh          formatting, build of everything, every test
#     tools/test-dotnet.sh lint     formatting and build alone
#     tools/test-dotnet.sh tests    the tests alone, of what was built
#     tools/test-dotnet.sh soak     memory over twenty times as many evaluations and contexts
# Everything is written below bindings/dotnet/artifacts, the build folder and the temporary one. Packages come from NuGet's configured sources.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"

if ! command -v dotnet >/dev/null; then
  if [ "${CI:-}" = true ]; then
    say "there is no .NET SDK: in CI its tests must run"
    exit 1
  fi
  say "there is no .NET SDK (dotnet is not in PATH): the .NET tests were NOT run"
  exit 0
fi

# The folder of the solution: the test runner is named in its global.json.
cd "$root/bindings/dotnet"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en
# The tests load the library that was built, whatever the caller uses.
unset FLAGSTONE_LIBRARY_PATH

log=$(mktemp) run=$(mktemp)
trap 'rm -f "$log" "$run"' EXIT
failed=0

# Runs the tests of a project; what fails is tried once more, alone.
run_tests() {
  local project=$1 status=0
  shift
  dotnet_test "$project" "$@" 2>&1 | tee "$run" || status=$?
  # What is no 2 is a run that was broken off: not everything was tried.
  if [ "$status" -eq 2 ]; then
    failures_pass_alone || failed=1
  elif [ "$status" -ne 0 ]; then
    failed=1
  fi
  cat "$run" >>"$log"
}

dotnet_test() {
  local project=$1
  shift
  dotnet test --project "test/$project" --configuration Release --no-build \
    --results-directory "$PWD/artifacts/test-results" "$@"
}

failures_pass_alone() {
  second_tries try_alone "$(sed -nE "s/^failed ([A-Za-z0-9_.+]+).*/$project \1/p" "$run" | sort -u)"
}

try_alone() {
  dotnet_test "${1% *}" --filter-method "${1#* }"
}

# Shows the counts of all runs alone on a line, however the runner words them, and ends.
finish() {
  awk '/^ *(succeeded|failed|skipped): [0-9]+/ { count[$1] += $2 }
    END { printf "%d passed, %d failed, %d skipped\n", count["succeeded:"], count["failed:"], count["skipped:"] }' "$log"
  exit "$failed"
}

if [ "${1:-}" != tests ]; then
  dotnet build Flagstone.slnx --configuration Release --nologo --verbosity quiet
fi
if [ "${1:-}" = soak ]; then
  FLAGSTONE_TESTS=soak run_tests Flagstone.Tests --filter-class '*.MemoryTests'
  finish
fi
# What is wrong here keeps no test from running.
if [ "${1:-}" != tests ] && ! dotnet format Flagstone.slnx --verify-no-changes --no-restore; then
  say "failed: dotnet format"
  failed=1
fi
if [ "${1:-}" = lint ]; then
  exit "$failed"
fi
run_tests Flagstone.Tests
run_tests Flagstone.Tests.NetStandard
run_tests Flagstone.Extensions.Tests
if [ -z "${OPENFEATURE_FEED:-}" ]; then
  say "OpenFeature: UNPROVEN with its package, which no feed has (OPENFEATURE_FEED): the provider was tested on a stand-in of its public types"
fi
finish
