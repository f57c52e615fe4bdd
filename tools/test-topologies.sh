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

# The ignored tests of a file that are labelled so.
labelled() {
  awk '/^#\[ignore = "topology/ { wanted = 1 } wanted && /^(pub )?fn / { sub(/\(.*/, ""); print $NF; wanted = 0 }' "tests/$1.rs"
}

all=() ignored=()
for file in tests/redis_*.rs; do
  name=$(basename "$file" .rs)
  case $name in
    *_sentinel* | *_replicas* | *_cluster* | *_rungs* | *_servers* | *_proxies* | *_credentials* | *_topology*) ;;
    *) continue ;;
  esac
  all+=(--test "$name")
  while IFS= read -r test; do ignored+=("$name $test"); done < <(labelled "$name")
done
run "${all[@]}"
for line in ${ignored[@]+"${ignored[@]}"}; do
  run --test "${line% *}" -- --ignored --exact "${line#* }"
done
# What these are about is the same with other servers, except that most are built without TLS.
sentinels=()
for name in redis_sentinel redis_replicas redis_cluster; do
  if [ -e "tests/$name.rs" ]; then sentinels+=(--test "$name"); fi
done
for folder in redis-8.2 valkey-9.1; do
  if [ -x "$servers/$folder/server" ]; then
    echo "with $("$servers/$folder/server" --version):"
    FLAGSTONE_TEST_SERVER=$servers/$folder/server run "${sentinels[@]}" -- --skip tls
  fi
done
say_missing_servers
say_test_run ${failed[@]+"${failed[@]}"} || exit 1
echo "topologies: all passed"
