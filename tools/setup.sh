#!/usr/bin/env bash
# Installs, by name, the programs that tests, demo and benchmarks need and that are missing; says what it cannot install.
#     tools/setup.sh        what the demo and the benchmarks need
#     tools/setup.sh test   what the tests need as well
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"
# shellcheck source=tools/servers.sh
. "$root/tools/servers.sh"

if ! command -v cargo >/dev/null; then
  say "cargo is missing: please install Rust 1.95 or newer"
  exit 1
fi
find_or_install cc gcc
find_or_install_idle redis-server
if [ "${1:-}" = test ]; then
  find_or_install c++ g++
  find_or_install valgrind valgrind
  find_or_install cmake cmake
  find_or_install pkg-config pkg-config
  find_or_install openssl openssl
  find_or_install readelf binutils
  find_or_install abidiff abigail-tools
  find_or_install python3 python3-venv
  # A .NET program that is compiled ahead of time is linked with zlib.
  if command -v dotnet >/dev/null && ! echo '#include <zlib.h>' | cc -E - >/dev/null 2>&1; then
    say "installing zlib1g-dev"
    if ! { can_be_root && command -v apt-get >/dev/null && apt_install_quietly zlib1g-dev; }; then
      say "the headers of zlib are missing: please install zlib1g-dev"
      exit 1
    fi
  fi
  # The tests of the page say what they miss.
  find_or_install chromium chromium || true
  find_or_install chromedriver chromium-driver || true
  install_servers
  say_missing_servers
fi
