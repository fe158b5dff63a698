# The load of the tests: ioredis in a pod of its own, beside the server's own command line client.
ARG BASE=rekindle:latest
FROM ${BASE}
COPY node load.mjs /load/
ENTRYPOINT ["/load/node", "/load/load.mjs"]
CMD []
