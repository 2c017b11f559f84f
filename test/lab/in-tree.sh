#!/bin/bash
# in-tree.sh NAMESPACE COMMAND...: runs one peer inside the tree and one namespace of the lab, keeping the
# process id. /dev and /proc are mounted for this command alone (ip netns exec gives it a mount namespace
# of its own), so nothing stays mounted and the tree can be removed at any time.
set -eu
tree=${PEQUOD_LAB:-/var/tmp/pequod-lab}/tree
namespace=pqlab-$1
shift
# shellcheck disable=SC2016
exec ip netns exec "$namespace" sh -c \
  'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$tree" "$@"
