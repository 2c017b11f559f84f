#!/bin/bash
# topology.sh up|down: the lab's network. Every address lives in a namespace pqlab-*, never on the host.
#
#   home-a 192.168.77.50 -- router-a 203.0.113.2 \                        / 10.0.1.10 instance-a (mycompany)
#   home-b 192.168.77.50 -- router-b 203.0.113.3 -- 203.0.113.1 app 10.0.1.1
#   open   203.0.113.50  ------------------------/      |                 \ 10.0.1.11 instance-b (othercompany)
#          2001:db8::50 ----------- 2001:db8::1         |
#                                         lan 192.168.10.50 -- 192.168.10.1
#   stranger: 203.0.113.66, 192.168.10.66 and 10.0.1.66, who has no business anywhere
#
# The routers masquerade with random ports. Both homes use the same private address. `app` (the appliance:
# eth0 inside, eth1 internet, eth2 lan) never routes: what reaches an instance went through the product.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
spaces="switch app lan open router-a router-b home-a home-b instance-a instance-b stranger"

down() {
  local space
  for space in $spaces; do
    ip netns pids "pqlab-$space" 2>/dev/null | xargs -r kill 2>/dev/null || true
  done
  for space in $spaces; do
    ip netns del "pqlab-$space" 2>/dev/null || true
  done
}

cable() { # SPACE INTERFACE ADDRESS BRIDGE: one interface of a space, plugged into a bridge of the switch
  local port=$1-$2
  ip -n "pqlab-$1" link add "$2" type veth peer name "${port//[^a-z0-9]/}" netns pqlab-switch
  ip -n pqlab-switch link set "${port//[^a-z0-9]/}" master "$4" up
  ip -n "pqlab-$1" addr add "$3" dev "$2"
  ip -n "pqlab-$1" link set "$2" up
}

forwarding() { # SPACE 0|1
  ip netns exec "pqlab-$1" sh -c "echo $2 >/proc/sys/net/ipv4/ip_forward"
}

home() { # LETTER WAN-ADDRESS: a home behind its own router
  cable "router-$1" eth0 "$2/24" internet
  ip -n "pqlab-router-$1" link add eth1 type veth peer name eth0 netns "pqlab-home-$1"
  ip -n "pqlab-router-$1" addr add 192.168.77.1/24 dev eth1
  ip -n "pqlab-home-$1" addr add 192.168.77.50/24 dev eth0
  ip -n "pqlab-router-$1" link set eth1 up
  ip -n "pqlab-home-$1" link set eth0 up
  ip -n "pqlab-home-$1" route add default via 192.168.77.1
  forwarding "router-$1" 1
  "$here/in-tree.sh" "router-$1" nft -f - <<'N'
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "eth0" masquerade fully-random
  }
}
N
}

up() {
  local space bridge
  for space in $spaces; do
    ip netns add "pqlab-$space"
    ip -n "pqlab-$space" link set lo up
  done
  for bridge in inside internet lan; do
    ip -n pqlab-switch link add "$bridge" type bridge
    ip -n pqlab-switch link set "$bridge" up
  done
  cable app eth0 10.0.1.1/24 inside
  cable app eth1 203.0.113.1/24 internet
  cable app eth2 192.168.10.1/24 lan
  cable instance-a eth0 10.0.1.10/24 inside
  cable instance-b eth0 10.0.1.11/24 inside
  cable lan eth0 192.168.10.50/24 lan
  cable open eth0 203.0.113.50/24 internet
  ip -n pqlab-app addr add 2001:db8::1/64 dev eth1 nodad
  ip -n pqlab-open addr add 2001:db8::50/64 dev eth0 nodad
  cable stranger eth0 10.0.1.66/24 inside
  cable stranger eth1 203.0.113.66/24 internet
  cable stranger eth2 192.168.10.66/24 lan
  home a 203.0.113.2
  home b 203.0.113.3
  forwarding app 0
}

case ${1:-} in
  up) down; up ;;
  down) down ;;
  *) echo "usage: topology.sh up|down" >&2; exit 2 ;;
esac
