# The application of the scale test, and apachebench (Debian's apache2-utils) that attacks it.
ARG BASE=rekindle-base:redis7.0
FROM ${BASE}
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends apache2-utils libatomic1 && rm -rf /var/lib/apt/lists/*
COPY node scale-app.mjs attack.mjs /scale/
USER 999:999
ENTRYPOINT ["/scale/node"]
CMD ["/scale/scale-app.mjs"]
