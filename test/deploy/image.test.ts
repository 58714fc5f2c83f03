// The image: one base for every stage, nothing of a package run while it is built, and a true list of what is in it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const DOCKERFILE = readFileSync('Dockerfile', 'utf8');
type Package = { SPDXID: string; name: string; versionInfo: string; licenseDeclared: string };
type Bom = {
  spdxVersion: string;
  packages: Package[];
  relationships: { spdxElementId: string; relatedSpdxElement: string }[];
};
type Locked = { version: string; dev?: boolean; optional?: boolean; devOptional?: boolean };

test('every stage · is built on the one base that can be pinned · and that its page says how to pin', () => {
  const bases = [...DOCKERFILE.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  expect(bases).toEqual(['${NODE_IMAGE}', '${NODE_IMAGE}', '${NODE_IMAGE}']);
  const [, base = ''] = /^ARG NODE_IMAGE=(\S+)$/m.exec(DOCKERFILE) ?? [];
  const [, page = ''] = readFileSync('docs/container.md', 'utf8').split(/^## Pin the base image$/m);
  expect(page).toContain(`--build-arg NODE_IMAGE=${base}@sha256:`);
});

test('whatever is installed · runs no script of its own · and no process runs as root', () => {
  const installs = DOCKERFILE.match(/npm ci.*/g) ?? [];
  expect(installs).toHaveLength(2);
  for (const install of installs) expect(install).toContain('--ignore-scripts');
  expect(DOCKERFILE).toMatch(/^USER 1000:1000$/m);
  expect(DOCKERFILE.split('USER 1000:1000')[1]).not.toMatch(/^RUN/m);
});

test('npm run sbom · lists what production installs, each with its licence · and nothing else', () => {
  const stdout = execFileSync('npm', ['run', '--silent', 'sbom'], { encoding: 'utf8', maxBuffer: 2 ** 24 });
  const { spdxVersion, packages, relationships } = JSON.parse(stdout) as Bom;
  const { packages: locked } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const installed = Object.entries(locked)
    .filter(([path, one]) => path !== '' && !one.dev && !one.optional && !one.devOptional)
    .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`);
  const [own, ...others] = packages;
  expect(spdxVersion).toBe('SPDX-2.3');
  expect(own).toMatchObject({ name: 'runstate-bridge', primaryPackagePurpose: 'APPLICATION' });
  expect(new Set(others.map(({ name, versionInfo }) => `${name}@${versionInfo}`))).toEqual(new Set(installed));
  expect(others.filter(({ licenseDeclared }) => /^(NOASSERTION|NONE)?$/.test(licenseDeclared))).toEqual([]);
  const ids = packages.map(({ SPDXID }) => SPDXID);
  expect(ids).toHaveLength(new Set(ids).size);
  const related = relationships.flatMap((one) => [one.spdxElementId, one.relatedSpdxElement]);
  expect(new Set(related)).toEqual(new Set(['SPDXRef-DOCUMENT', ...ids]));
});
