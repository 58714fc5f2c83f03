# One image for every process of the bridge: the API as it is, a worker as `node dist/workers/main.js`.

# Compiles the TypeScript.
FROM docker.io/library/node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=optional --no-audit
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workers workers
RUN npm run build

# Installs what runs in production; the optional packages are a Node of our own and accelerators that nothing relies on.
FROM docker.io/library/node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --no-audit

FROM docker.io/library/node:24-bookworm-slim
LABEL org.opencontainers.image.title="runstate-bridge" \
      org.opencontainers.image.description="Takes hardware configuration run results from devices and creates them in Microsoft Graph" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
WORKDIR /app
# A volume mounted on /tls can be written by the sandbox, which keeps its certificate authority there.
RUN install -d -o node -g node /tls && ln -s /app/bin/runstate-bridge.mjs /usr/local/bin/runstate-bridge
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
