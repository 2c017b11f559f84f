#!/bin/bash
# host.sh [LIST]: the packages of a list (image/host-packages), installed where root may, else named.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

missing=()
while read -r package proof _; do
  # shellcheck disable=SC2086  # the proof may be a pattern
  ls $proof >/dev/null 2>&1 || missing+=("$package")
done < <(grep -v '^#' "${1:-host-packages}")
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "these Debian packages are missing: ${missing[*]}" >&2
  exit 1
fi
echo "installs ${missing[*]}"
install_missing() {
  DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ install_missing || { apt-get update -q && install_missing; }; } >"$log" 2>&1 || {
  tail -5 "$log" >&2
  echo "these Debian packages are missing and cannot be installed: ${missing[*]}" >&2
  exit 1
}
