#!/usr/bin/env bash
# Wheels for every platform whose library `make natives` has built, and the sdist: target/wheels.
#     tools/wheels.sh                builds them; auditwheel must agree with the tags of those for glibc
#     tools/wheels.sh test [N]       installs them into clean environments of the Pythons that are found (the first N), and asks a
#                                    real Redis for a flag through each
#
# Two wheels for a platform: one with the extension module, for CPython's stable ABI, and one without, for everything else.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"

natives=$target/natives
wheels=$target/wheels
glibc=2.17

# The platform in the tag, and the words that have zig compile the extension module for it.
platform_tag() {
  case $1 in
    linux-x64) echo "manylinux_${glibc/./_}_x86_64 x86_64-linux-gnu.$glibc" ;;
    linux-arm64) echo "manylinux_${glibc/./_}_aarch64 aarch64-linux-gnu.$glibc" ;;
    linux-musl-x64) echo 'musllinux_1_2_x86_64 x86_64-linux-musl' ;;
    linux-musl-arm64) echo 'musllinux_1_2_aarch64 aarch64-linux-musl' ;;
    osx-x64) echo 'macosx_11_0_x86_64 -' ;;
    osx-arm64) echo 'macosx_11_0_arm64 -' ;;
    win-x64) echo 'win_amd64 -' ;;
  esac
}

# RID SPEEDUPS
wheel() {
  local rid=$1 speedups=$2 tag compiler files=("$natives/$1"/*flagstone.*)
  read -r tag compiler < <(platform_tag "$rid")
  FLAGSTONE_SPEEDUPS=$speedups FLAGSTONE_WHEEL_PLATFORM=$tag FLAGSTONE_LIBRARY_PATH=${files[0]} \
    CC="$environment/bin/python -m ziglang cc -target $compiler -s" \
    "$environment/bin/python" -m build --no-isolation --wheel --outdir "$wheels" "$package" >"$log" 2>&1 ||
    { cat "$log" >&2; return 1; }
}

build_all() {
  local rid wheel
  if ! compgen -G "$natives/*/*flagstone.*" >/dev/null; then
    say "there are no libraries in $natives: run make natives"
    exit 1
  fi
  environment=$work/builder
  make_environment "$(find_python "$default")" "$environment" wheels
  rm -rf "$wheels"
  for rid in "$natives"/*/; do
    rid=$(basename "$rid")
    [ -n "$(platform_tag "$rid")" ] && compgen -G "$natives/$rid/*flagstone.*" >/dev/null || continue
    wheel "$rid" 0
    # The headers of this Python say the same on all Unix systems with 64 bits; not so on Windows, and macOS needs its own.
    case $rid in linux-*) wheel "$rid" 1 ;; esac
  done
  "$environment/bin/python" -m build --no-isolation --sdist --outdir "$wheels" "$package" >/dev/null
  for wheel in "$wheels"/*linux*.whl; do
    case $wheel in
      # It knows musl by the name that Alpine gives it, and these ask for libc.so, which every musl takes for itself.
      *-musllinux_*) echo "$(basename "$wheel"): not judged by auditwheel; the build found nothing but musl in it" ;;
      *) agree "$wheel" ;;
    esac
  done
  (cd "$wheels" && sha256sum -- *.whl *.tar.gz >SHA256SUMS)
  ls -l "$wheels"
}

# auditwheel names the strictest tag that what is in the wheel allows: the one that it has, or a better one.
agree() {
  local said tag
  tag=$(basename "$1" .whl) tag=${tag##*-}
  said=$("$environment/bin/auditwheel" show "$1" 2>&1) || { printf '%s\n' "$said" >&2; return 1; }
  said=$(tr '\n' ' ' <<<"$said")
  [[ $said =~ platform\ tag:\ *\"(manylinux_2_([0-9]+)_[a-z0-9_]+)\" ]] && [ "${BASH_REMATCH[2]}" -le "${glibc#*.}" ] || { say "$(basename "$1"): auditwheel does not agree: $said"; return 1; }
  echo "$(basename "$1"): auditwheel says ${BASH_REMATCH[1]}"
}

first='
import sys
from flagstone import Client, Config, Context
from flagstone import _hot
with Client(Config(redis_url=sys.argv[1])) as client:
    assert client.variation("new-checkout", Context("u"), False) is True
print("True, with the extension module" if _hot.SPEEDUPS else "True, through ctypes")
'

test_all() {
  local most=${1:-99} version python place failed=0 tried=0
  if ! compgen -G "$wheels/*.whl" >/dev/null; then
    say "there are no wheels in $wheels: run make wheels"
    exit 1
  fi
  find_or_install_idle redis-server
  start_private_redis "$work"
  trap 'stop_private_redis; rm -f "$log"' EXIT
  redis-cli -p "$REDIS_PORT" set 'launchdarkly:$inited' '' >/dev/null
  redis-cli -p "$REDIS_PORT" hset launchdarkly:features new-checkout \
    '{"key":"new-checkout","version":1,"on":true,"variations":[false,true],"fallthrough":{"variation":1}}' >/dev/null
  for version in 3.13 3.9 3.10 3.11 3.12 3.14 3.13t 3.14t; do
    python=$(find_python "$version")
    [ -n "$python" ] && [ "$tried" -lt "$most" ] || continue
    tried=$((tried + 1))
    for only in abi3 none; do
      # A free-threaded Python takes no extension module of the stable ABI.
      case $version$only in *tabi3) continue ;; esac
      place=$work/clean-$version-$only
      rm -rf "$place"
      "$python" -m venv "$place"
      # pip chooses by the tags; to have the plain one chosen, it alone is offered.
      mkdir "$place/offered"
      cp "$wheels"/*-"$only"-*.whl "$place/offered"
      "$place/bin/pip" install --quiet --disable-pip-version-check --no-index --find-links "$place/offered" flagstone || { failed=1; continue; }
      if said=$(cd / && env -u FLAGSTONE_LIBRARY_PATH "$place/bin/python" -c "$first" "$REDIS_URL" 2>&1); then
        echo "Python $version, $only: $said"
      else
        printf 'Python %s, %s: FAILED: %s\n' "$version" "$only" "$said"
        failed=1
      fi
      rm -rf "$place"
    done
  done
  if [ "$tried" -eq 0 ]; then say "no Python was found"; failed=1; fi
  return "$failed"
}

work=$target/wheels-work
mkdir -p "$work"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
default=''
for version in 3.11 3.12 3.13 3.10 3.9; do
  [ -n "$default" ] || [ -z "$(find_python "$version")" ] || default=$version
done
case ${1:-} in
  test) test_all "${2:-}" ;;
  '') build_all ;;
  *)
    say "usage: tools/wheels.sh [test [N]]"
    exit 1
    ;;
esac
