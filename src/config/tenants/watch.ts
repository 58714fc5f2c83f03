// The tenants of a process, now and after each change of the tenants file; a file with faults changes nothing.
import { isDeepStrictEqual } from 'node:util';
import { CannotStart } from '../cannot-start.ts';
import type { Config, Role } from '../config.ts';
import { describeFile, readTenants, type Files } from './read.ts';
import { toEnvironmentTenant, type TenantConfig } from './tenant.ts';

/** @returns the tenants that are not as configured, which is tried again */
export type Apply = (tenants: readonly TenantConfig[]) => Promise<readonly string[]>;

export type WatchedTenants = {
  current: () => readonly TenantConfig[];
  /** What is wrong with the present file, which is therefore not used; empty if nothing is. */
  faults: () => readonly string[];
  /** The tenants that could not be opened as the file says. */
  unopened: () => readonly string[];
  /** Called one at a time, with all tenants, after each change since `current` was called first. */
  onChange: (apply: Apply) => void;
  close: () => void;
};

/** Called after each reading of a changed file. */
export type OnTenantsRead = (path: string, faults: readonly string[], tenants: number) => void;

const LOOK_EVERY_MS = 1000;
const TRY_AGAIN_AFTER_MS = 5000;

type Watched = { config: Config; role: Role; onRead: OnTenantsRead };

/** @throws CannotStart naming every fault of the file */
export async function watchTenants(config: Config, role: Role, onRead: OnTenantsRead): Promise<WatchedTenants> {
  if (config.tenantsFile !== null) return watchFile(config.tenantsFile, { config, role, onRead });
  const tenants = [toEnvironmentTenant(config)];
  const [none, ignore] = [() => [], () => undefined];
  return { current: () => tenants, faults: none, unopened: none, onChange: ignore, close: ignore };
}

async function watchFile(path: string, { config, role, onRead }: Watched): Promise<WatchedTenants> {
  const read = () => readTenants(path, config, role);
  let { tenants, faults, files } = await read();
  if (faults.length > 0) throw new CannotStart(`TENANTS_FILE: ${faults.join('; ')}`);
  let known = describe(files);
  let seen = known;
  let looking = false;
  let apply: Apply | null = null;
  /** When the tenants are to be applied, at the latest reading or after some could not be opened. */
  let dueAt = Infinity;
  let unopened: readonly string[] = [];

  /** A change counts only once two looks in a row agree, since several files may be replaced one after the other. */
  async function readIfChanged(): Promise<void> {
    const now = lookAt(files.keys());
    const present = describe(now);
    const isSettled = present === seen;
    seen = present;
    if (!isSettled || present === known) return;
    const changed = await read();
    faults = changed.faults;
    const isUsable = faults.length === 0;
    // A file with faults may name fewer others than are in use.
    files = isUsable ? changed.files : new Map([...now, ...changed.files]);
    // As they were before they were read: whatever changed since is read again.
    known = describe(files);
    seen = known;
    if (isUsable) {
      tenants = changed.tenants;
      dueAt = -Infinity;
    }
    onRead(path, faults, tenants.length);
  }

  async function look(): Promise<void> {
    await readIfChanged();
    if (!apply || performance.now() < dueAt) return;
    // Also if it throws.
    dueAt = performance.now() + TRY_AGAIN_AFTER_MS;
    unopened = await apply(tenants);
    if (unopened.length === 0) dueAt = Infinity;
  }

  const ticking = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch((error: unknown) => onRead(path, [`the file could not be taken up: ${String(error)}`], tenants.length))
      .finally(() => (looking = false));
  }, LOOK_EVERY_MS);
  ticking.unref();

  return {
    current: () => tenants,
    faults: () => faults,
    unopened: () => unopened,
    onChange: (listener) => (apply = listener),
    close: () => {
      clearInterval(ticking);
      apply = null;
    },
  };
}

/** Whether a tenant must be opened again. */
export const isSame = (one: TenantConfig, other: TenantConfig): boolean =>
  isDeepStrictEqual(reveal(one), reveal(other));

/** Secrets are compared by what they hold. */
const reveal = ({ groupKeys, ...tenant }: TenantConfig) => ({
  ...tenant,
  payloadKeys: null,
  graph: { ...tenant.graph, proxy: null },
  directory: tenant.directory && { ...tenant.directory, graph: null },
  groupKeys: groupKeys.map((key) => key.reveal()),
});

const lookAt = (paths: Iterable<string>): Files => new Map(Array.from(paths, (path) => [path, describeFile(path)]));

const describe = (files: Files): string => [...files.values()].join();
