#!/bin/bash
# The lab gate (make lab): real phones and real telephone systems around the compiled product, in network
# namespaces. PEQUOD_LAB_LONG=1 takes minutes of ringing and of hold instead of seconds; arguments are
# *.lab.ts files (default: all).
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
files=()
for file in "$@"; do files+=("$(readlink -f "$file")"); done
[ $# -gt 0 ] || files=("$here"/*.lab.ts)
cd "$here/../.."
export PEQUOD_LAB=${PEQUOD_LAB:-/var/tmp/pequod-lab}
export PEQUOD_BIN=${PEQUOD_BIN:-$PWD/dist/pequod}

[ "$(id -u)" = 0 ] || { echo "make lab needs root (network namespaces): run it as root, e.g. sudo make lab" >&2; exit 1; }
unshare --net --mount true 2>/dev/null || { echo "make lab: this machine does not allow network namespaces" >&2; exit 1; }
[ -x "$PEQUOD_BIN" ] || { echo "make lab: $PEQUOD_BIN is missing, run make build first" >&2; exit 1; }

# One lab at a time: the namespaces have fixed names.
mkdir -p "$PEQUOD_LAB"
exec 9>"$PEQUOD_LAB/lock"
flock --nonblock 9 || { echo "make lab: another run is under way, waiting for it"; flock 9; }

"$here/tree.sh"
trap '"$here/topology.sh" down' EXIT
trap 'exit 130' INT TERM
"$here/topology.sh" up 9>&-

# Real phones play by the clock: on a machine whose neighbours take its time away for a moment they tear
# their own sound. One second try tells that from a fault of ours.
node_modules/.bin/bun test --timeout 60000 --retry=1 "${files[@]}" 9>&- || { echo "lab: logs are in $PEQUOD_LAB/tree/lab (phones, instances) and $PEQUOD_LAB/run (product)" >&2; exit 1; }
