# One image for every process of the bridge: the API as it is, a worker as `node dist/workers/main.js`.

# The base of every stage; with a digest it cannot change: docs/container.md#pin-the-base-image
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

# Compiles the TypeScript. No package runs a script of its own when it is installed.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=optional --no-audit --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workers workers
RUN npm run build

# Installs what runs in production, and lists it; the optional packages are a Node of our own and accelerators that nothing
# relies on. Nothing reads types and source maps: they are a third of all bytes.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY setup/sbom.mjs setup/
RUN npm ci --omit=dev --omit=optional --no-audit --ignore-scripts \
 && npm run --silent sbom > sbom.spdx.json \
 && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="runstate-bridge" \
      org.opencontainers.image.description="Takes hardware configuration run results from devices and creates them in Microsoft Graph" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
WORKDIR /app
# A volume mounted on /tls can be written by the sandbox, which keeps its certificate authority there. What installs packages
# goes: nothing is installed any more.
RUN install -d -o node -g node /tls && ln -s /app/bin/runstate-bridge.mjs /usr/local/bin/runstate-bridge \
 && rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn* /opt/yarn*
COPY --from=dependencies /app/sbom.spdx.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY bin bin
# For devices: the image is one place to get it from.
COPY src/agent src/agent
COPY --from=build /app/dist dist

# The base image's user `node`, by number so that a platform can see that it is not root.
USER 1000:1000
EXPOSE 8080 8081
# Asks the API or the worker, whichever runs here, as its variables say it listens.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "dist/src/process/health-check.js"]
CMD ["node", "dist/src/main.js"]
