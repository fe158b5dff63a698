# Sourced by the two probes. Afterwards "$@" is the redis-cli command that reaches this node's server, or the Sentinel here: one
# call, no other process. It has no deadline of its own (redis-cli knows one from 7.4 on); the kubelet's timeoutSeconds ends one
# that hangs.

# Kubernetes sets REDIS_CLUSTER_PORT=tcp://… for a Service called redis-cluster; that is not meant for us.
port=${REKINDLE_PORT:-}
case $port in '' | *://*) port=${REDIS_CLUSTER_PORT:-6379} ;; esac
case $port in *://*) port=6379 ;; esac
subject=${1:-server}
if [ "$subject" = sentinel ]; then
  port=${REKINDLE_SENTINEL_PORT:-26379}
  # It knows one password, and no user.
  REKINDLE_USER=
fi

# By the environment: a command line is everybody's to read.
if [ -n "${REKINDLE_PASSWORD_FILE:-}" ]; then
  IFS= read -r REKINDLE_PASSWORD <"$REKINDLE_PASSWORD_FILE" || :
fi
if [ -n "${REKINDLE_PASSWORD:-}" ]; then
  export REDISCLI_AUTH="$REKINDLE_PASSWORD" VALKEYCLI_AUTH="$REKINDLE_PASSWORD"
fi

set -- -h "${REKINDLE_ADDRESS:-127.0.0.1}" -p "$port"
[ -z "${REKINDLE_USER:-}" ] || set -- "$@" --user "$REKINDLE_USER"
[ -z "${REKINDLE_TLS_CERT:-}" ] || set -- "$@" --tls --cert "$REKINDLE_TLS_CERT" --key "$REKINDLE_TLS_KEY" --cacert "$REKINDLE_TLS_CA"
if command -v redis-cli >/dev/null; then set -- redis-cli "$@"; else set -- valkey-cli "$@"; fi
