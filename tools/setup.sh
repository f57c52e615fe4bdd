#!/usr/bin/env bash
# Installs, by name, the programs that tests, demo and benchmarks need and that are missing; says what it cannot install.
# Needed at all: cargo and a C compiler. Needed for the tests: the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
need() { # program package
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need cargo cargo
need cc gcc
need c++ g++
need redis-server redis-server
need valgrind valgrind
need cmake cmake
need pkg-config pkg-config
need openssl openssl
need readelf binutils

if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
  echo "setup: missing: ${missing[*]}. Install these packages (as root on Debian: apt-get install ${missing[*]})." >&2
  exit 1
fi
echo "setup: installing ${missing[*]}"
# A server package must not start its service: tests and demo run private servers.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
