# Shell functions for everything that runs Python. For bash; to be sourced after lib.sh, with $root set.
#
#   find_python VERSION                       prints the interpreter, or nothing
#   make_environment PYTHON FOLDER GROUP…     a virtual environment with the packages that pyproject.toml lists for the groups
#   build_wheel PYTHON LIBRARY FOLDER         prints the path of the wheel; PYTHON has the packages of the group `package`
#   run_pytest PYTHON ARGUMENT…               pytest with the package's settings; what fails is tried once more, alone
#
# Everything is written below the build folder. Python's own packages come from PyPI.

package=$root/bindings/python
target=${CARGO_TARGET_DIR:-$root/target}
library=$target/release/libflagstone.so

# The interpreter of a version, `3.13t` for the free-threaded build: from PATH, or from pyenv's versions; nothing when there
# is none.
find_python() {
  local version=$1 candidate
  local is="'%d.%d' % sys.version_info[:2] + 't' * bool(sysconfig.get_config_var('Py_GIL_DISABLED'))"
  for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/${version%t}".*/bin/python; do
    if "$candidate" -c "import sys, sysconfig; sys.exit($is != '$version')" 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
}

# Prints the requirements of a group in pyproject.toml.
requirements() {
  sed -nE "s/^$1 = \[(.*)\]$/\1/p" "$package/pyproject.toml" | tr -d '",' | tr ' ' '\n'
}

make_environment() {
  local python=$1 folder=$2 group
  shift 2
  [ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
  for group in "$@"; do requirements "$group"; done | sort -u >"$folder/requirements.txt"
  "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$folder/requirements.txt"
}

build_wheel() {
  local python=$1 library=$2 folder=$3 program=$target/cli/flagstone
  rm -rf "$folder"
  [ -x "$program" ] || program=''
  # Elsewhere the wheel goes without its extension module where there is no C compiler.
  FLAGSTONE_SPEEDUPS=${FLAGSTONE_SPEEDUPS:-${CI:+1}} FLAGSTONE_LIBRARY_PATH=$library FLAGSTONE_CLI=$program \
    "$python" -m build --no-isolation --wheel --outdir "$folder" "$package" >/dev/null
  echo "$folder"/*.whl
}

run_pytest() {
  local kept failures status=0
  pytest_python=$1
  shift
  kept=$(mktemp -d)
  plain_pytest -o cache_dir="$kept" "$@" || status=$?
  # What is no 1 is a run that was broken off: not everything was tried.
  if [ "$status" -ne 1 ]; then
    rm -rf "$kept"
    return "$status"
  fi
  failures=$("$pytest_python" -c 'import json, sys; print(*json.load(open(sys.argv[1])), sep="\n")' "$kept/v/cache/lastfailed" 2>/dev/null)
  rm -rf "$kept"
  second_tries pytest_alone "$failures"
}

pytest_alone() {
  plain_pytest -p no:cacheprovider "$root/$1"
}

plain_pytest() {
  "$pytest_python" -m pytest -c "$package/pyproject.toml" --rootdir "$root" "$@"
}
