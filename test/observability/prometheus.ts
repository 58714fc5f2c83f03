// A Prometheus of a test's own: the project's configuration, but for the addresses and the pace; gone afterwards.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { PROMETHEUS } from './sources.ts';

export type Sample = { metric: Record<string, string>; value: [number, string] };
export type Rule = { name: string; query: string; health: string; lastError?: string; labels: { severity: string } };

export type TestPrometheus = {
  /** An instant query. @throws Error with what Prometheus has against it */
  query: (expr: string) => Promise<Sample[]>;
  /** How often each series of a range selector, such as `up[1m]`, was scraped in it. */
  countScrapes: (range: string) => Promise<number[]>;
  rules: () => Promise<Rule[]>;
  close: () => Promise<void>;
};

/** @param ports where the services of docker-compose.yml listen here, by their names there */
export async function startPrometheus(ports: Record<string, number>): Promise<TestPrometheus> {
  const directory = await mkdtemp(join(tmpdir(), 'runstate-prometheus-'));
  await cp(PROMETHEUS, directory, { recursive: true });
  const file = join(directory, 'prometheus.yml');
  await writeFile(file, adapt(await readFile(file, 'utf8'), ports));
  const url = `http://127.0.0.1:${await freePort()}`;
  const server = spawn(
    'prometheus',
    [`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`, `--web.listen-address=${url.slice(7)}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  server.stderr.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));

  async function ask<T>(path: string): Promise<T> {
    const response = await fetch(`${url}/api/v1/${path}`);
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error ?? response.statusText}`);
    return answer.data;
  }

  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until('Prometheus is ready', isReady, 20_000).catch((error: unknown) => {
    throw new Error(said, { cause: error });
  });
  return {
    query: async (expr) => (await ask<{ result: Sample[] }>(instant(expr))).result,
    countScrapes: async (range) => {
      const { result } = await ask<{ result: { values: unknown[] }[] }>(instant(range));
      return result.map(({ values }) => values.length);
    },
    rules: async () => (await ask<{ groups: { rules: Rule[] }[] }>('rules')).groups.flatMap(({ rules }) => rules),
    close: async () => {
      const gone = once(server, 'close');
      server.kill('SIGKILL');
      await gone;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const instant = (expr: string) => `query?query=${encodeURIComponent(expr)}`;

/** The configuration with addresses of this machine in place of names, and every quarter minute made half a second. */
function adapt(config: string, ports: Record<string, number>): string {
  return config
    .replaceAll(/^( +(?:scrape|evaluation)_interval): 15s$/gm, '$1: 500ms')
    .replaceAll(/dns_sd_configs: \[\{ names: \[(\w+)\][^\n]+/g, (_, name: string) => {
      const port = ports[name];
      if (port === undefined) throw new Error(`the test does not run ${name}`);
      return `static_configs: [{ targets: ['127.0.0.1:${port}'] }]`;
    });
}
