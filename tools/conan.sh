#!/usr/bin/env bash
# The Conan recipe: `conan create` builds the package with cargo in a home of its own below target/conan, and a program from it
# that evaluates a flag; with the shared library and with the archive.
#     tools/conan.sh            as a user does, who builds from the sources: minutes
#     tools/conan.sh quick      with what `make build` has built
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"
case ${1:-} in
  quick) export FLAGSTONE_LIB_DIR=$target/release ;;
  '') unset FLAGSTONE_LIB_DIR ;;
  *)
    say "usage: tools/conan.sh [quick]"
    exit 1
    ;;
esac
find_or_install python3 python3-venv
find_or_install cmake cmake
environment=$target/conan/environment
mkdir -p "$target/conan"
make_environment python3 "$environment" conan
export CONAN_HOME=$target/conan/home
[ -e "$CONAN_HOME/profiles/default" ] || "$environment/bin/conan" profile detect
for shared in True False; do
  # What the program is built with goes nowhere into the tree.
  "$environment/bin/conan" create "$root" --test-folder "$root/tests/conan" --options "flagstone/*:shared=$shared" \
    --conf "tools.cmake.cmake_layout:test_folder=$target/conan/consumer" --conf tools.cmake.cmaketoolchain:user_presets=
done
