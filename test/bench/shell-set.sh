#!/usr/bin/env bash
# The usual way under Sentinel, as short as it can be made: whom the Sentinels name leads, else ordinal 0; the others wait until it
# answers and copy it. For comparison only.
#   shell-set.sh node ORDINAL PORT FIRST_PORT SENTINEL_PORT SERVER
#   shell-set.sh sentinel PORT FIRST_PORT DOWN_AFTER_MS SERVER
set -eu
until_it_answers() { until [[ $(redis-cli -p "$1" ping 2>/dev/null) == PONG ]]; do sleep 1; done; }
if [[ $1 == node ]]; then
  master=$(redis-cli -p "$5" sentinel get-master-addr-by-name mymaster 2>/dev/null | tail -n 1 || :)
  [[ $master =~ ^[0-9]+$ ]] || master=$4
  [[ $master == "$3" ]] && exec "$6" --port "$3" --save ''
  until_it_answers "$master"
  exec "$6" --port "$3" --save '' --replicaof 127.0.0.1 "$master"
fi
until_it_answers "$3"
printf '%s\n' "port $2" "sentinel monitor mymaster 127.0.0.1 $3 2" "sentinel down-after-milliseconds mymaster $4" \
  'sentinel failover-timeout mymaster 5000' >sentinel.conf
exec "$5" sentinel.conf --sentinel
