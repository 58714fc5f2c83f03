// The tenants file of a command: read for both kinds of process, and replaced whole.
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { Document, YAMLSeq } from 'yaml';
import { parseConfig, ConfigError } from '../../config/config.ts';
import { readSettingFile } from '../../config/setting-file.ts';
import { describeFile, readTenants } from '../../config/tenants/read.ts';
import type { TenantConfig } from '../../config/tenants/tenant.ts';
import { EXIT } from '../exit.ts';
import { OperatorError } from '../operator/operator.ts';

/** The file of an argument or option, or the environment's. @throws OperatorError if there is neither */
export function fileOf(given: string | undefined): string {
  const path = given ?? process.env['TENANTS_FILE'] ?? '';
  if (path !== '') return path;
  throw new OperatorError('name the file, or set TENANTS_FILE', EXIT.usage);
}

/** As an API and a worker would read it, with the faults of both. @throws OperatorError if the environment is not usable */
export async function readForBoth(path: string): Promise<{ tenants: readonly TenantConfig[]; faults: string[] }> {
  const config = configOf(path);
  const [api, worker] = [await readTenants(path, config, 'api'), await readTenants(path, config, 'worker')];
  const keysOf = new Map(api.tenants.map(({ id, groupKeys }) => [id, groupKeys]));
  return {
    tenants: worker.tenants.map((tenant) => ({ ...tenant, groupKeys: keysOf.get(tenant.id) ?? [] })),
    faults: [...new Set([...api.faults, ...worker.faults])],
  };
}

/** @throws OperatorError if the environment is not usable */
export function configOf(path: string) {
  try {
    return parseConfig({ ...process.env, TENANTS_FILE: path }, 'worker');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new OperatorError(error.message, EXIT.config);
  }
}

/**
 * Changes the list of tenants in the file and replaces it, its comments, owner and mode kept. JSON stays JSON.
 * @returns whether anything was changed
 * @throws OperatorError if it cannot be read or written, or would have faults afterwards; it is then as it was
 */
export async function changeFile(path: string, change: ChangeTenants): Promise<boolean> {
  const { parseDocument, isMap, isSeq } = await import('yaml');
  const version = describeFile(path);
  const text = readText(path).replace(/^\uFEFF/, '');
  const document: Document = parseDocument(text);
  if (document.errors.length > 0) throw new OperatorError('the file is not YAML or JSON', EXIT.config);
  if (document.contents === null) document.contents = document.createNode({});
  if (isMap(document.contents) && document.get('tenants') == null) document.set('tenants', document.createNode([]));
  const tenants = document.get('tenants');
  if (!isSeq(tenants)) throw new OperatorError('the file has no list of tenants', EXIT.config);
  if (!change(tenants, document)) return false;
  const changed = isJson(text) ? `${JSON.stringify(document.toJS(), null, 2)}\n` : toYaml(document);
  const target = existsSync(path) ? realpathSync(path) : path;
  const next = `${target}.${process.pid}.next`;
  try {
    writeWhole(next, changed, target);
    const { faults } = await readForBoth(next);
    if (faults.length > 0) throw new OperatorError(`nothing was changed: ${faults.join('; ')}`, EXIT.config);
    if (describeFile(path) !== version)
      throw new OperatorError('somebody else changed the file; try again', EXIT.later);
    renameSync(next, target);
    return true;
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`the file cannot be written: ${codeOf(error)}`, EXIT.output);
  } finally {
    rmSync(next, { force: true });
  }
}

/** @returns whether anything was changed */
export type ChangeTenants = (tenants: YAMLSeq, document: Document) => boolean;

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function toYaml(document: Document): string {
  try {
    return document.toString({ lineWidth: 0 });
  } catch (error) {
    // Such as an entry that others refer to.
    const why = error instanceof Error ? error.message : 'unknown';
    throw new OperatorError(`nothing was changed: ${why}`, EXIT.config);
  }
}

/** Fsynced before it replaces the old file; keeps its mode and, where this user may, its owner. */
function writeWhole(path: string, text: string, like: string): void {
  const old = statSync(like, { throwIfNoEntry: false });
  const file = openSync(path, 'wx', 0o600);
  try {
    writeFileSync(file, text);
    if (old) giveTo(file, old);
    fchmodSync(file, (old?.mode ?? 0o640) & 0o777);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function giveTo(file: number, { uid, gid }: { uid: number; gid: number }): void {
  try {
    fchownSync(file, uid, gid);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') throw error;
  }
}

function readText(path: string): string {
  try {
    return readSettingFile(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw new OperatorError(`the file cannot be read: ${codeOf(error)}`, EXIT.config);
  }
}

const codeOf = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : 'unknown');
