# The exporter of the tests, from Debian's package; Prometheus and promtool beside it.
ARG BASE=rekindle-base:redis7.0
FROM ${BASE}
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus-redis-exporter prometheus && rm -rf /var/lib/apt/lists/*
USER 999:999
ENTRYPOINT ["prometheus-redis-exporter"]
