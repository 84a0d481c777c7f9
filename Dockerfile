# The last stage is the service and nothing else: no sandbox, no tests, no development packages, no npm. It writes nothing
# to its file system (read-only root), runs as uid 10001 and takes SIGTERM itself. Migrations: the same image with
# `node src/cli.ts migrate` (docs/en/operators.md). The stage `demo` is for trying out alone: docs/en/kubernetes.md.

# The tag says which Node; the digest is what is fetched, for every platform. How to renew it: docs/en/upgrade.md.
ARG BASE=node:24-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df

FROM ${BASE} AS client
WORKDIR /build
COPY package.json package-lock.json ./
# Without install scripts nothing is downloaded but what the lockfile names; without the optional packages
# no second Node, as the base image has one.
RUN npm ci --omit=optional --ignore-scripts
COPY prisma.config.ts ./
COPY prisma/schema.prisma prisma/
RUN node_modules/.bin/prisma generate

FROM ${BASE} AS packages
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

# Development mode with its own database, logins in memory and the sandbox, which logs anybody in as anybody. The sandbox
# listens on the container's own loopback alone and refuses to start beside any other database or Redis.
FROM ${BASE} AS demo
ENV NODE_ENV=development
WORKDIR /app
COPY --from=packages /build/node_modules node_modules
COPY --from=client /build/node_modules/@electric-sql node_modules/@electric-sql
COPY --from=client /build/prisma/client prisma/client
COPY package.json ./
COPY prisma/migrations prisma/migrations
COPY plugins plugins
COPY src src
COPY sandbox sandbox
# The only folder that this stage writes to.
RUN mkdir .data && chown 10001:10001 .data
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["node", "sandbox/start.ts"]

FROM ${BASE}
ARG VERSION=0.2.0
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Auth-movies" \
      org.opencontainers.image.description="Logs people in to many client sites through OAuth providers" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack
ENV NODE_ENV=production
ENV COMMIT=${COMMIT}
WORKDIR /app
COPY --from=packages /build/node_modules node_modules
COPY --from=client /build/prisma/client prisma/client
COPY package.json ./
COPY prisma/migrations prisma/migrations
COPY plugins plugins
COPY src src
USER 10001:10001
EXPOSE 3000 9464
# For engines without probes of their own. It depends on nothing but the process, as a restart mends nothing else.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.MANAGEMENT_PORT || 9464}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
# V8 would let the memory of new objects grow to 48 MiB and more, most of it garbage of requests that have ended: with a sixth
# of that a request takes no more processor time.
CMD ["node", "--max-semi-space-size=8", "src/main.ts"]
