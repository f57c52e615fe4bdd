#!/usr/bin/env bash
# The tests of the Python binding, of the programs around the contract tests, of the book, and of the page of `flagstone view`, on
# every CPython from 3.9 to 3.14 that is found, the last two on one. `make test` has set up what is needed and built the library.
#     tools/test-python.sh          lints; every test on the oldest version, one that is usual and the newest ones, a few on the others
#     tools/test-python.sh lint     the lints alone, and whatever the tests need besides is got ready
#     tools/test-python.sh tests    the tests alone
#     tools/test-python.sh soak     memory over ten million evaluations and a million contexts, on one version
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"

contract=$root/tests/contract
viewer=$root/tests/viewer
book=$root/tests/book
work=$target/python
default=3.11
# Most of the time the tests wait.
workers=3

versions='' missing=''
for version in 3.9 3.10 3.11 3.12 3.13 3.14 3.13t 3.14t; do
  if [ -n "$(find_python "$version")" ]; then versions="$versions $version"; else missing="$missing $version"; fi
done
if [ -z "$versions" ]; then
  say "no CPython from 3.9 to 3.14 was found: please install one"
  exit 1
fi
case " $versions " in *" $default "*) ;; *) default=${versions##* } ;; esac
# What differs between versions shows at the ends. A free-threaded Python is another one than its version says.
whole=" $(tr ' ' '\n' <<<"$versions" | awk 'NF { if (!oldest) oldest = $0; if (/t$/) free = $0; else newest = $0 } END { print oldest, newest, free }') $default "
# Elsewhere: it loads, evaluates with Redis and beside it, and tells of changes.
few=(tests/test_{abi,evaluation,listeners}.py)

mkdir -p "$work"
builder=$work/$default
# What the extras are for needs Python 3.10.
case $default in 3.9) extras='' ;; *) extras='ecosystem samples browser' ;; esac
# shellcheck disable=SC2086 # several groups
make_environment "$(find_python "$default")" "$builder" test servers book $extras package lint
wheel=$(build_wheel "$builder/bin/python" "$library" "$work/dist")

if [ "${1:-}" = soak ]; then
  "$builder/bin/pip" install --quiet --no-deps --force-reinstall "$wheel"
  cd "$package"
  FLAGSTONE_TESTS=soak FAKELD=$target/release/fakeld "$builder/bin/python" -m pytest -p no:cacheprovider tests/test_leaks.py
  exit
fi

"$builder/bin/pip" install --quiet --no-deps --force-reinstall "$wheel"
failed=0

# What is wrong here keeps no test from running.
lint() {
  "$builder/bin/$@" && return
  failed=1
  say "failed: $*"
}
typed() {
  lint mypy --cache-dir "$work/mypy" "$@"
}
lints() {
  local sources=(. ../../examples/python ../../bench/python "$contract" "$book" "$viewer" ../../tools/{book,natives,natives-test}.py ../../docs/pictures ../../conanfile.py ../../tests/conan)
  lint ruff format --config pyproject.toml --no-cache --check "${sources[@]}"
  lint ruff check --config pyproject.toml --no-cache "${sources[@]}"
  typed
  typed --python-version "$default" ../../examples/python
  typed --python-version "$default" \
    src/flagstone/openfeature/*.py src/flagstone/otel.py tests/test_{openfeature,openfeature_peer,telemetry}.py tests/scenarios/{,steps/}*.py
  [ -z "$extras" ] || MYPYPATH=$viewer typed --python-version "$default" "$viewer"
  MYPYPATH=$contract:$contract/python typed "$contract"
  MYPYPATH=$book:$root/tools:$root/docs/pictures typed "$book" ../../tools/book.py ../../docs/pictures
}

environment_of() {
  [ "$1" = "$default" ] || make_environment "$(find_python "$1")" "$work/$1" test
}

cd "$package"
if [ "${1:-}" != tests ]; then
  lints
fi
if [ "${1:-}" = lint ]; then
  for version in $versions; do environment_of "$version"; done
  exit "$failed"
fi

export FAKELD=$target/release/fakeld FLAGSTONE_TEST_LIBRARY=$library FLAGSTONE_TEST_CLI=$target/cli/flagstone FLAGSTONE_TEST_SDIST_TARGET=$work/sdist
for version in $versions; do
  environment=$work/$version extent=short
  case $whole in
    *" $version "*) tests=(tests "$contract") ;;
    *) tests=("${few[@]}") extent=few ;;
  esac
  if [ "$version" = "$default" ]; then
    extent=full
    tests+=("$book")
    [ -z "$extras" ] || tests+=("$viewer")
  else
    environment_of "$version"
    fitting=$wheel
    # A free-threaded Python takes no extension module of the stable ABI.
    case $version in *t) fitting=$(FLAGSTONE_SPEEDUPS=0 build_wheel "$builder/bin/python" "$library" "$work/dist-plain") ;; esac
    "$environment/bin/pip" install --quiet --no-deps --force-reinstall "$fitting"
  fi
  echo "Python $version ($extent):"
  FLAGSTONE_TESTS=$extent run_pytest "$environment/bin/python" -n "$workers" --dist loadgroup "${tests[@]}" || failed=1
  if [ "$version" = "$default" ] && [[ $wheel == *-abi3-* ]]; then
    echo "Python $version, through ctypes alone, what touches the calls:"
    FLAGSTONE_SPEEDUPS=0 FLAGSTONE_TESTS=short run_pytest "$environment/bin/python" -n "$workers" \
      tests/test_{big_segments,context,evaluation,events*,hooks*,leaks,lifecycle,listeners,migrations*,odd_objects,plugins,testdata,threads,vectors}.py || failed=1
  fi
done
if [[ $wheel != *-abi3-* ]]; then
  echo "no C compiler or no headers of CPython, so not tested: the extension module"
fi
if [ -n "$missing" ]; then
  echo "not found, so not tested: Python$missing"
fi
exit "$failed"
