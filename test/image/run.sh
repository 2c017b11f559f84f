#!/bin/bash
# run.sh IMAGE [FILE.image.ts ...]: boots the unmodified image in QEMU and uses it as a customer does. QEMU and
# the peers share one network namespace; the two interfaces of the VM are taps in it:
#   eth0 = tap0, 10.77.0.0/24: the operator and DHCP (.1), the telephone system (.10), a phone (.20)
#   eth1 = tap1, 10.5.6.0/24:  a gateway (.254), a phone (.20), and behind the gateway one at 198.51.100.7
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
PEQUOD_IMAGE_FILE=$(readlink -f "$1")
export PEQUOD_IMAGE_FILE PEQUOD_IMAGE=${PEQUOD_IMAGE:-/var/tmp/pequod-image}
shift
[ "$(id -u)" = 0 ] || { echo "image-test: needs root (a network namespace with taps)" >&2; exit 1; }
mkdir -p "$PEQUOD_IMAGE"
image/host.sh "$PWD/test/image/host-packages"

space=pqimage-$$
trap 'ip netns del "$space"' EXIT
ip netns add "$space"
ip -n "$space" link set lo up
for tap in tap0 tap1; do
  ip -n "$space" tuntap add "$tap" mode tap
  ip -n "$space" link set "$tap" up
done
for address in 10.77.0.1 10.77.0.10 10.77.0.20; do
  ip -n "$space" address add "$address/24" brd + dev tap0
done
for address in 10.5.6.254 10.5.6.20; do ip -n "$space" address add "$address/24" brd + dev tap1; done
ip -n "$space" address add 198.51.100.7/32 dev lo

[ $# -gt 0 ] || set -- ./test/image/*.image.ts
ip netns exec "$space" node_modules/.bin/bun test --timeout 700000 "$@"
