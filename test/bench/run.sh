#!/bin/bash
# make bench: the micro benches; as root also the benches beside rtpengine and Kamailio of the lab's tree, in a
# network namespace of their own. One JSON line for each result, a short table at the end. QUICK=1: fewer
# rounds, no search for the highest rates. Arguments: only these parts (micro provisioning
# relay rates sip memory xmpp web storm stall); the first two need no root.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."
export PEQUOD_LAB=${PEQUOD_LAB:-/var/tmp/pequod-lab}
export PEQUOD_BIN=${PEQUOD_BIN:-$PWD/dist/pequod}
export QUICK=${QUICK:-}
bun=$PWD/node_modules/.bin/bun
space=pqbench-$$
seconds=${PEQUOD_BENCH_SECONDS:-870}

wants() { # PART
  [ ${#parts[@]} = 0 ] || [[ " ${parts[*]} " == *" $1 "* ]]
}

micro() {
  local file
  for file in "$here"/*.bench.ts; do "$bun" "$file"; done
}

need() { # FILE PACKAGE
  [ -e "$1" ] && return
  echo "bench: installing $2" >&2
  apt-get install -qy --no-install-recommends "$2" >/dev/null 2>&1 ||
    { apt-get update -q && apt-get install -qy --no-install-recommends "$2"; } >/dev/null 2>&1 ||
    { echo "bench: cannot install $2" >&2; exit 1; }
}

stop() {
  ip netns pids "$space" 2>/dev/null | xargs -r kill 2>/dev/null || true
  ip netns del "$space" 2>/dev/null || true
}

beside_peers() {
  need /usr/bin/gcc gcc
  need /usr/include/srtp2/srtp.h libsrtp2-dev
  need /usr/include/stdio.h libc6-dev
  "$here/../lab/tree.sh"
  local tree=$PEQUOD_LAB/tree
  mkdir -p "$tree/lab"
  gcc -O2 -o "$tree/lab/rtpload" "$here/rtpload.c" -lsrtp2
  trap stop EXIT
  trap 'exit 130' INT TERM
  ip netns add "$space"
  ip -n "$space" link set lo up
  # ip netns exec gives a mount namespace of its own: nothing stays mounted.
  timeout --foreground "$seconds" ip netns exec "$space" bash -c \
    'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec "$@"' "$tree" \
    "$bun" "$here/beside-peers.ts" "${parts[@]}"
}

parts=("$@")
if wants micro; then micro; fi
if wants provisioning; then "$bun" "$here/provisioning.ts"; fi
beside=$(printf '%s\n' "${parts[@]}" | grep -cvxE 'micro|provisioning' || true)
[ "${#parts[@]}" = 0 ] || [ "$beside" != 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! unshare --net --mount true 2>/dev/null; then
  echo "bench: no root and network namespaces here, so nothing beside rtpengine and Kamailio"
elif [ "$(nproc)" -lt 2 ]; then
  echo "bench: one core only; the system under test and the load need one each"
else
  beside_peers
fi
