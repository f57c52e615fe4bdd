# Shell functions shared by the demo, the set-up and the runs of the tests. For bash; to be sourced, not run.
#
#   find_or_install PROGRAM PACKAGE    PROGRAM is in PATH afterwards, or the reason why not is printed and it fails
#   find_or_install_idle PROGRAM       the same for one whose package, of the same name, starts a service, which is not wanted
#   start_private_redis DIR            sets REDIS_PID, REDIS_PORT, REDIS_URL; keeps nothing on disk but its log in DIR
#   stop_private_redis                 ends the server that start_private_redis started
#   second_tries COMMAND LINES         tries failed tests once more, alone
#   begin_test_run                     from here on flaky tests are noted
#   say_test_run PART…                 the end of it: what was flaky, and which parts failed; fails if any did

say() {
  printf '%s\n' "$*" >&2
}

# Runs a command as root, if that is possible without asking anybody.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

can_be_root() {
  [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# Installs packages of the distribution, without starting the services that come with them: while this runs, the file that
# Debian's maintainer scripts ask says no. A subshell, so that its trap puts things back whatever ends it.
apt_install_quietly() (
  policy=/usr/sbin/policy-rc.d
  kept=$policy.kept-by-flagstone
  put_back() {
    as_root rm -f "$policy"
    if [ -e "$kept" ]; then
      as_root mv "$kept" "$policy"
    fi
  }
  trap put_back EXIT
  trap 'exit 1' INT TERM HUP
  if [ -e "$policy" ]; then
    as_root mv "$policy" "$kept" || exit 1
  fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy" || exit 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
)

find_or_install() {
  local program=$1 package=$2
  command -v "$program" >/dev/null && return 0
  if ! command -v apt-get >/dev/null; then
    say "$program is missing, and there is no apt-get to install it with: please install it"
    return 1
  fi
  if ! can_be_root; then
    say "$program is missing, and installing it needs root: please run apt-get install $package"
    return 1
  fi
  say "installing $package"
  if ! apt_install_quietly "$package"; then
    # The lists may be old, or never fetched.
    as_root apt-get update -qq >/dev/null || true
    apt_install_quietly "$package" || true
  fi
  if ! command -v "$program" >/dev/null; then
    say "$program is missing, and apt-get could not install $package: please install it"
    return 1
  fi
}

# For programs that are installed for themselves: no service of theirs shall run from the next boot on.
find_or_install_idle() {
  command -v "$1" >/dev/null && return 0
  find_or_install "$1" "$1" || return 1
  if command -v systemctl >/dev/null; then
    as_root systemctl disable "$1" >/dev/null 2>&1 || true
  fi
}

# Whether the server on the port, of 127.0.0.1 or of a third argument, is the process that was started: another program may have taken the port first.
is_our_redis() {
  local line
  # 2>/dev/null: the shell complains when nobody listens yet.
  { exec 9<>"/dev/tcp/${3:-127.0.0.1}/$1"; } 2>/dev/null || return 1
  printf 'INFO server\r\nQUIT\r\n' >&9
  while IFS= read -r -t 2 line <&9; do
    if [ "${line%$'\r'}" = "process_id:$2" ]; then
      exec 9>&-
      return 0
    fi
  done
  exec 9>&-
  return 1
}

start_private_redis() {
  local dir=$1 try wait
  for try in 1 2 3 4 5 6 7 8 9 10; do
    REDIS_PORT=$((20000 + RANDOM % 12000))
    redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --dir "$dir" --save '' --appendonly no \
      --daemonize no >"$dir/redis.log" 2>&1 &
    REDIS_PID=$!
    for wait in $(seq 1 100); do
      kill -0 "$REDIS_PID" 2>/dev/null || break
      if is_our_redis "$REDIS_PORT" "$REDIS_PID"; then
        REDIS_URL=redis://127.0.0.1:$REDIS_PORT
        return 0
      fi
      sleep 0.05
    done
    stop_private_redis
  done
  say "redis-server does not start; the end of its log:"
  tail -n 5 "$dir/redis.log" >&2
  return 1
}

stop_private_redis() {
  if [ -n "${REDIS_PID:-}" ]; then
    kill "$REDIS_PID" 2>/dev/null || true
    wait "$REDIS_PID" 2>/dev/null || true
    REDIS_PID=''
  fi
}

# Tests that failed among others, a line each, are tried once more, alone: COMMAND gets the line. Succeeds if all of them pass
# then; each is noted in the file that FLAGSTONE_FLAKY names, so that a flaky test is seen although it fails nothing. A run in
# which more than three failed has a cause that is no busy machine. What fails for good is noted with the beginning of what it
# said in the file that FLAGSTONE_FAILED names: the end of a long run tells it, wherever the rest of its output went.
second_tries() {
  local try_alone=$1 lines=$2 line status=0 said
  [ -n "$lines" ] || return 1
  if [ "$(wc -l <<<"$lines")" -gt 3 ]; then
    printf '%s\n' "$lines" >>"${FLAGSTONE_FAILED:-/dev/null}"
    return 1
  fi
  said=$(mktemp)
  while IFS= read -r line; do
    say "once more, alone: $line"
    if (set -o pipefail && "$try_alone" "$line" </dev/null 2>&1 | tee "$said"); then
      printf '%s\n' "$line" >>"${FLAGSTONE_FLAKY:-/dev/stderr}"
    else
      status=1
      { printf '%s\n' "$line" && sed 's/^/    /' "$said" | head -n 50; } >>"${FLAGSTONE_FAILED:-/dev/null}"
    fi
  done <<<"$lines"
  rm -f "$said"
  return "$status"
}

begin_test_run() {
  FLAGSTONE_FLAKY=$(mktemp)
  FLAGSTONE_FAILED=$(mktemp)
  export FLAGSTONE_FLAKY FLAGSTONE_FAILED
  trap 'rm -f "$FLAGSTONE_FLAKY" "$FLAGSTONE_FAILED"' EXIT
}

say_test_run() {
  local name
  while IFS= read -r name; do
    say "flaky, failed among others and passed alone: $name"
  done <"$FLAGSTONE_FLAKY"
  if [ -s "$FLAGSTONE_FAILED" ]; then
    say "failed, alone too:"
    cat "$FLAGSTONE_FAILED" >&2
  fi
  for name in "$@"; do
    say "failed: $name"
  done
  [ $# -eq 0 ]
}
