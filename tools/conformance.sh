#!/usr/bin/env bash
# LaunchDarkly's contract tests, run against the Python and the .NET package, one after the other: starts a Redis and the test
# service of the package, lets the harness judge them, and compares the outcome with tests/contract/expected-SERVICE.json.
# `make conformance` has built the library.
#     tools/conformance.sh                      the whole; reports, logs and JUnit files are left below the build folder
#     tools/conformance.sh python|dotnet        one of the two
#     tools/conformance.sh --check              only says whether everything that is needed is there
#     tools/conformance.sh … HARNESS OPTIONS    with other tests than the expected ones, which are not compared then;
#                                               for example -run '^streaming$' -debug
# The harness is given CONFORMANCE_SECONDS for each, 600 unless set. Where there is no .NET SDK, its part is left out, which
# is said; in CI that is a failure.
#
# The harness is not part of this project: sdk-test-harness is taken from PATH, or is what SDK_TEST_HARNESS names. The status
# is 77 when there is none of the right version, 1 when a test failed or the outcome is another than the expected one.
# `make conformance` turns every failure into make's own status, 2.
#
# The library that was built is judged, whatever FLAGSTONE_LIBRARY_PATH says.
#
# The harness empties the Redis on port 6379 of this machine, whichever that is. So it gets one of its own there; where the
# port is taken already, everything runs in a network namespace of its own, out of reach of the other Redis.
#
# Nothing is left behind, however this ends: what is started is told by the kernel when this script is gone.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"

target=${CARGO_TARGET_DIR:-$root/target}
work=$target/conformance
# The package wants a full path.
library=$(realpath --canonicalize-missing --no-symlinks "$target/release/libflagstone.so")
contract=$root/tests/contract
redis_port=6379
no_harness=77
seconds=${CONFORMANCE_SECONDS:-600}
version=$(sed -nE 's/^ *"harness": "(.*)",$/\1/p' "$contract/expected-python.json")
all=("$@")
case ${1:-} in
  python | dotnet) services=("$1") && shift ;;
  *) services=(python dotnet) ;;
esac

# Whether anybody listens on a port of the loopback interface.
is_taken() {
  local host
  for host in 127.0.0.1 ::1; do
    { exec 9<>"/dev/tcp/$host/$1"; } 2>/dev/null || continue
    exec 9>&-
    return 0
  done
  return 1
}

# A command that ends when this script is gone, even if it was killed.
tied() {
  exec setpriv --pdeathsig TERM -- "$@"
}

# Runs this script once more where no other Redis can be reached.
in_a_namespace() {
  local -a options=(--net)
  [ "$(id -u)" -eq 0 ] || options+=(--map-root-user)
  if [ -n "${FLAGSTONE_OWN_NAMESPACE:-}" ]; then
    say "port $redis_port is taken even in a network namespace"
    return 1
  fi
  if ! unshare "${options[@]}" ip link set lo up; then
    say "port $redis_port is taken, and a network namespace needs root, or user namespaces, and the program ip"
    return 1
  fi
  FLAGSTONE_OWN_NAMESPACE=1 exec unshare "${options[@]}" "$0" "$@"
}

find_harness() {
  harness=$(command -v "${SDK_TEST_HARNESS:-sdk-test-harness}") || {
    say "${SDK_TEST_HARNESS:-sdk-test-harness} is not there, so the contract tests were not run. They need LaunchDarkly's SDK test"
    say "harness v$version, in PATH or named by SDK_TEST_HARNESS."
    exit "$no_harness"
  }
  local found
  found=$("$harness" -h 2>&1 | head -n 1) || true
  if [ "$found" != "sdk-test-harness v$version" ]; then
    say "$harness is not v$version but says: $found. The contract tests were not run."
    exit "$no_harness"
  fi
}

find_harness
find_or_install_idle redis-server
find_or_install python3 python3
find_or_install setpriv util-linux
if [[ " ${services[*]} " == *" dotnet "* ]] && ! command -v dotnet >/dev/null; then
  say "there is no .NET SDK (dotnet is not in PATH): the contract tests were NOT run against the .NET package"
  [ "${CI:-}" != true ] || exit 1
  if [ ${#services[@]} -eq 1 ]; then services=(); else services=(python); fi
fi
[ "${1:-}" != --check ] || exit 0
if [ ! -e "$library" ]; then
  say "$library is missing: make build"
  exit 1
fi

# What builds and starts the test service of a package; it says on its first line where it listens.
build_python() { :; }
serve_python() {
  PYTHONPATH=$root/bindings/python/src tied python3 -B "$contract/python/service.py"
}

build_dotnet() {
  DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 dotnet build "$contract/dotnet" --configuration Release --nologo \
    --verbosity quiet --disable-build-servers
}
serve_dotnet() {
  tied dotnet "$target/dotnet/contract/bin/ContractService/release/ContractService.dll"
}

if [ -n "${FLAGSTONE_OWN_NAMESPACE:-}" ]; then
  ip link set lo up
else
  # Before there is no network any more.
  for service in ${services[@]+"${services[@]}"}; do
    "build_$service" >&2
  done
fi
if is_taken "$redis_port"; then in_a_namespace "${all[@]}"; fi

mkdir -p "$work"
rm -rf "$work"/*
children=()
clean_up() {
  local child
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  for child in "${children[@]}"; do wait "$child" 2>/dev/null || true; done
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

(tied redis-server --bind 127.0.0.1 -::1 --port "$redis_port" --dir "$work" --save '' --appendonly no) >"$work/redis.log" 2>&1 &
redis=$!
children+=("$redis")
until is_our_redis "$redis_port" "$redis"; do
  # Somebody else may have taken the port meanwhile.
  if ! kill -0 "$redis" 2>/dev/null; then in_a_namespace "${all[@]}"; fi
  sleep 0.05
done
# The harness may well prefer the other address.
if { exec 9<>"/dev/tcp/::1/$redis_port"; } 2>/dev/null; then
  exec 9>&-
  if ! is_our_redis "$redis_port" "$redis" ::1; then
    clean_up
    in_a_namespace "${all[@]}"
  fi
fi

# Lets the harness judge one package; succeeds if everything was as expected. The arguments after the first are its options.
judge() {
  local service=$1 folder=$work/$1 url='' pid port status=0 options
  shift
  mkdir -p "$folder"
  : >"$folder/service.url"
  FLAGSTONE_LIBRARY_PATH=$library "serve_$service" >"$folder/service.url" 2>"$folder/service.log" &
  pid=$!
  children+=("$pid")
  for _ in $(seq 1 1200); do
    url=$(cat "$folder/service.url")
    if [ -n "$url" ] || ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 0.05
  done
  if [ -z "$url" ]; then
    say "the test service of $service does not start; the end of its log:"
    tail -n 5 "$folder/service.log" >&2
    return 1
  fi

  # The harness listens on two ports: the second for TLS.
  port=$((20000 + RANDOM % 12000))
  while is_taken "$port" || is_taken $((port + 1)); do port=$((port + 2)); done
  options=("$@")
  if [ $# -eq 0 ]; then
    mapfile -t options < <(python3 "$contract/judge.py" options "$contract/expected-$service.json")
  fi
  say "running the contract tests against $service with $library"
  tied timeout --kill-after=10 "$seconds" "$harness" -url "$url" -port "$port" -enable-persistence-tests \
    -junit "$folder/junit.xml" "${options[@]}" >"$folder/harness.log" 2>&1 &
  children+=($!)
  wait $! || status=$?
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  children=("$redis")
  if [ "$status" -eq 124 ]; then say "the harness had not come to its end after $seconds seconds"; fi
  if [ $# -gt 0 ]; then
    cat "$folder/harness.log"
    return "$status"
  fi
  python3 "$contract/judge.py" judge "$contract/expected-$service.json" "$folder/harness.log" "$folder/report.md" || return 1
  return "$status"
}

failed=0
for service in ${services[@]+"${services[@]}"}; do
  judge "$service" "$@" || failed=1
done
exit "$failed"
