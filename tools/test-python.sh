#!/usr/bin/env bash
# The tests of the Python binding, of the programs around the contract tests, of the book, and of the page of `flagstone view`, on
# every CPython from 3.9 to 3.14 that is found, the last two on one. `make test` has set up what is needed and built the library.
#     tools/test-python.sh          lints, tests on every version, the repeated ones in full on one of them
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

(
  cd "$package"
  "$builder/bin/pip" install --quiet --no-deps --force-reinstall "$wheel"
  sources=(. ../../examples/python ../../bench/python "$contract" "$book" "$viewer" ../../tools/{book,natives,natives-test}.py ../../docs/pictures ../../conanfile.py ../../tests/conan)
  "$builder/bin/ruff" format --config pyproject.toml --no-cache --check "${sources[@]}"
  "$builder/bin/ruff" check --config pyproject.toml --no-cache "${sources[@]}"
  "$builder/bin/mypy" --cache-dir "$work/mypy"
  "$builder/bin/mypy" --cache-dir "$work/mypy" --python-version "$default" ../../examples/python
  "$builder/bin/mypy" --cache-dir "$work/mypy" --python-version "$default" \
    src/flagstone/openfeature/*.py src/flagstone/otel.py tests/test_{openfeature,openfeature_peer,telemetry}.py tests/scenarios/{,steps/}*.py
  if [ -n "$extras" ]; then
    MYPYPATH=$viewer "$builder/bin/mypy" --cache-dir "$work/mypy" --python-version "$default" "$viewer"
  fi
  MYPYPATH=$contract:$contract/python "$builder/bin/mypy" --cache-dir "$work/mypy" "$contract"
  MYPYPATH=$book:$root/tools:$root/docs/pictures "$builder/bin/mypy" --cache-dir "$work/mypy" "$book" ../../tools/book.py ../../docs/pictures
)

failed=0
for version in $versions; do
  environment=$work/$version
  documents=()
  if [ "$version" = "$default" ]; then
    extent=full
    documents=("$book")
    [ -z "$extras" ] || documents+=("$viewer")
  else
    extent=short
    make_environment "$(find_python "$version")" "$environment" test
    fitting=$wheel
    # A free-threaded Python takes no extension module of the stable ABI.
    case $version in *t) fitting=$(FLAGSTONE_SPEEDUPS=0 build_wheel "$builder/bin/python" "$library" "$work/dist-plain") ;; esac
    "$environment/bin/pip" install --quiet --no-deps --force-reinstall "$fitting"
  fi
  echo "Python $version ($extent):"
  (
    cd "$package"
    FLAGSTONE_TESTS=$extent FAKELD=$target/release/fakeld FLAGSTONE_TEST_LIBRARY=$library FLAGSTONE_TEST_CLI=$target/cli/flagstone FLAGSTONE_TEST_SDIST_TARGET=$work/sdist \
      run_pytest "$environment/bin/python" -n "$workers" --dist loadgroup tests "$contract" ${documents[@]+"${documents[@]}"}
  ) || failed=1
  if [ "$version" = "$default" ] && [[ $wheel == *-abi3-* ]]; then
    echo "Python $version, through ctypes alone, what touches the calls:"
    (
      cd "$package"
      FLAGSTONE_SPEEDUPS=0 FLAGSTONE_TESTS=short FAKELD=$target/release/fakeld run_pytest "$environment/bin/python" -n "$workers" \
        tests/test_{big_segments,context,evaluation,events,hooks,leaks,lifecycle,listeners,migrations,odd_objects,testdata,threads,vectors}.py
    ) || failed=1
  fi
done
if [[ $wheel != *-abi3-* ]]; then
  echo "no C compiler or no headers of CPython, so not tested: the extension module"
fi
if [ -n "$missing" ]; then
  echo "not found, so not tested: Python$missing"
fi
exit "$failed"
