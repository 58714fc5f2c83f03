// How the tests run: each file with its own Redis, ports and directories; one trusted sandbox CA for all; two files side by side.
import { defineConfig } from 'vitest/config';

/** They change what a process has once: variables, signals, the clock, its output, its memory. */
const ALONE = [
  'test/*.test.ts',
  'test/agent/**/*.test.ts',
  'test/browser/**/*.test.ts',
  'test/cli/**/*.test.ts',
  'test/config/tenants/watch.test.ts',
  'test/graph/client.test.ts',
  'test/graph/credential/token.test.ts',
  'test/hostile/**/*.test.ts',
  'test/http/identity/entra/token.test.ts',
  'test/http/identity/signing-clients.test.ts',
  'test/http/identity/watched-files.test.ts',
  'test/observability/**/*.test.ts',
  'test/process/**/*.test.ts',
  'test/proxies/**/*.test.ts',
  'test/queue/redis/embedded/**/*.test.ts',
  'test/setup/**/*.test.ts',
  'test/telemetry/**/*.test.ts',
  'test/workers/**/*.test.ts',
];

export default defineConfig({
  test: {
    globalSetup: ['test/support/trusted-ca.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    // In CI chance and a noisy machine must not cost a build: a test that fails is tried once more, and named if it passes then.
    retry: process.env['CI'] === undefined ? 0 : 1,
    projects: [
      { extends: true, test: { name: 'alone', include: ALONE } },
      // The others share a process, and what it has loaded: to start one and load the code takes a second of CPU a file.
      { extends: true, test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: ALONE, isolate: false } },
    ],
  },
});
