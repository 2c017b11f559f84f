#!/bin/bash
# Builds the Debian tree that holds the real peers (Asterisk, baresip, sipp, Prosody, slixmpp and Gajim's nbxmpp,
# web applications, a browser; Kamailio, rtpengine, nginx and haproxy as the yardstick), once: $PEQUOD_LAB/tree,
# default /var/tmp/pequod-lab. Another list of packages builds it anew. Needs root on Debian or Ubuntu; what is missing on the host is installed here.
set -euo pipefail
lab=${PEQUOD_LAB:-/var/tmp/pequod-lab}
suite=${PEQUOD_LAB_SUITE:-forky}   # the newest suite that has Asterisk; bookworm and trixie have none
tree=$lab/tree
packages=(
  asterisk asterisk-modules baresip-core sip-tester
  kamailio kamailio-tls-modules kamailio-extra-modules kamailio-utils-modules rtpengine-daemon rtpengine-utils
  prosody python3-slixmpp python3-nbxmpp glib-networking
  nginx ttyd syncthing chromium-headless-shell curl haproxy wrk
  ca-certificates openssl iproute2 procps nftables tcpdump socat iputils-ping strace
)
stamp="$suite ${packages[*]}"

[ "$(id -u)" = 0 ] || { echo "the lab needs root: it makes network namespaces and a Debian tree" >&2; exit 1; }

need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null && return
  echo "lab: installing $2"
  { apt-get install -qy --no-install-recommends "$2" || { apt-get update -q && apt-get install -qy --no-install-recommends "$2"; }; } >"$lab/apt.log" 2>&1 ||
    { tail -20 "$lab/apt.log" >&2; echo "lab: cannot install $2" >&2; exit 1; }
}

# The mirror this machine itself uses (both forms of apt's sources); on Ubuntu Debian's own.
mirror() {
  {
    awk '/^URIs:/ { print $2 }' /etc/apt/sources.list.d/*.sources 2>/dev/null || true
    awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^http/) print $i }' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true
    echo http://deb.debian.org/debian
  } | grep -m 1 '/debian/*$'
}

keyring() {
  ls /usr/share/keyrings/debian-archive-keyring.{gpg,pgp} 2>/dev/null | head -n 1
}

build() {
  need mmdebstrap mmdebstrap
  [ -n "$(keyring)" ] || { need /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring; }
  local list started=$SECONDS
  list=$(IFS=,; echo "${packages[*]}")
  echo "lab: building the tree of peers in $tree (once, some minutes)"
  rm -rf --one-file-system "$tree.part"
  # Check-Valid-Until: a mirror that is a snapshot has an old Release file.
  mmdebstrap --variant=apt --format=directory --include="$list" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$tree.part" "deb [signed-by=$(keyring)] $(mirror) $suite main" >"$lab/mmdebstrap.log" 2>&1 ||
    { tail -30 "$lab/mmdebstrap.log" >&2; exit 1; }
  finish "$tree.part"
  echo "$stamp" >"$tree.part/lab/stamp"
  rm -rf --one-file-system "$tree"
  mv "$tree.part" "$tree"
  echo "lab: tree built in $((SECONDS - started)) s"
}

# No resolver and a hosts file that knows the host's name: Asterisk looks it up and would wait 10 s at start.
finish() { # TREE
  mkdir -p "$1/lab/tls"
  rm -f "$1/etc/resolv.conf" && : >"$1/etc/resolv.conf"
  echo "127.0.0.1 localhost $(hostname)" >"$1/etc/hosts"
}

# One authority that everybody knows, one certificate for every server's address (RSA: what old phones can do).
certificates() { # TREE
  chroot "$1" bash -euc 'cd /lab/tls; exec 2>/dev/null
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=Pequod lab" -keyout ca.key -out ca.crt \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    openssl req -newkey rsa:2048 -nodes -subj "/CN=Pequod lab server" -keyout server.key -out server.csr
    printf "%s\n" keyUsage=digitalSignature,keyEncipherment extendedKeyUsage=serverAuth,clientAuth \
      subjectKeyIdentifier=hash authorityKeyIdentifier=keyid \
      subjectAltName=IP:203.0.113.1,IP:192.168.10.1,IP:10.0.1.1,IP:10.0.1.10,IP:10.0.1.11 >server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile server.ext -out server.crt'
}

mkdir -p "$lab"
need ip iproute2
[ "$(cat "$tree/lab/stamp" 2>/dev/null)" = "$stamp" ] || build
[ -s "$tree/lab/tls/server.crt" ] || certificates "$tree"
