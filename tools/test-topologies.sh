#!/usr/bin/env bash
# The tests that tell how Redis is met where operators run it: servers of several versions, proxies, sentinels, replicas, clusters.
# `make test-topologies` has set up what is needed. With everything that `make test` leaves out for lack of time: tests that are
# ignored with a reason that begins with "topology", and sentinels and replicas of other versions than that of the PATH.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"
# shellcheck source=tools/servers.sh
. "$root/tools/servers.sh"
cd "$root"

failed=()
begin_test_run
run() {
  tools/test-rust.sh "$@" || failed+=("${FLAGSTONE_TEST_SERVER:-} $*")
}

# The ignored tests of files that are labelled so, as lines of target and name.
labelled() {
  awk '/^#\[ignore = "topology/ { wanted = 1 }
    wanted && /^(pub )?fn / {
      sub(/\(.*/, ""); name = $NF; wanted = 0
      target = module = FILENAME
      sub(/^tests\//, "", target); sub(/\/.*/, "", target)
      sub(/^tests\/[^\/]*\//, "", module); sub(/\.rs$/, "", module); gsub(/\//, "::", module)
      print target, module "::" name
    }' "$@"
}

run --test topologies --test redis_sentinel_fork
# Beside them what is about servers, too.
run --test redis -- rungs credentials
while IFS= read -r line; do
  run --test "${line% *}" -- --ignored --exact "${line#* }" </dev/null
done < <(labelled tests/topologies/*.rs tests/redis/{rungs,credentials}{,/*}.rs)
# What these are about is the same with other servers, except that most are built without TLS.
for folder in redis-8.2 valkey-9.1; do
  if [ -x "$servers/$folder/server" ]; then
    echo "with $("$servers/$folder/server" --version):"
    FLAGSTONE_TEST_SERVER=$servers/$folder/server run --test topologies -- sentinel:: replicas:: cluster:: --skip tls
  fi
done
say_missing_servers
say_test_run ${failed[@]+"${failed[@]}"} || exit 1
echo "topologies: all passed"
