# The service and nothing else: no sandbox, no tests, no development packages, no npm. It writes nothing to its
# file system (read-only root), runs as uid 10001 and takes SIGTERM itself. Migrations: the same image with
# `node src/cli.ts migrate` (docs/en/operators.md).
ARG BASE=node:24-slim

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

FROM ${BASE}
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /build/node_modules node_modules
COPY --from=client /build/prisma/client prisma/client
COPY package.json ./
COPY prisma/migrations prisma/migrations
COPY plugins plugins
COPY src src
USER 10001:10001
EXPOSE 3000 9464
STOPSIGNAL SIGTERM
CMD ["node", "src/main.ts"]
