#!/usr/bin/env bash
# The usual way, as short as it can be made: ask the API for the pods, look at the cluster, start the server, and make it a
# replica of the master that has none. For comparison only.
#   shell-entrypoint.sh PODS_URL PORT DIR SERVER
set -eu
pods=$(curl -sf "$1" | jq -r '.items[] | select(.status.phase == "Running") | .status.podIP')
for peer in $pods; do
  if nodes=$(redis-cli -h "${peer%:*}" -p "${peer##*:}" cluster nodes 2>/dev/null); then break; fi
done
orphan=
while read -r id _ flags _; do
  case $flags in *master*) case $nodes in *" $id "*) ;; *) orphan=$id ;; esac ;; esac
done <<<"$nodes"
"$4" --port "$2" --dir "$3" --cluster-enabled yes --save '' --daemonize yes --pidfile "$3/pid" >/dev/null
until redis-cli -p "$2" ping >/dev/null 2>&1; do sleep 0.05; done
redis-cli -p "$2" cluster meet "${peer%:*}" "${peer##*:}" >/dev/null
until redis-cli -p "$2" cluster replicate "$orphan" 2>/dev/null | grep -q OK; do sleep 0.05; done
