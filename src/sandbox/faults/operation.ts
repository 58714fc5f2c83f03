// The sandbox's operations, and the group names that scripts and rates use for them.
import type { Access } from '../graph/limiter.ts';

type IntuneOperation =
  'configurations' | 'configuration' | 'summary' | 'list' | 'get' | 'create' | 'update' | 'delete' | 'unknown';

/** One device, or the list of them. */
export type DirectoryOperation = 'device' | 'devices';

export type GraphOperation = IntuneOperation | DirectoryOperation;

type AuthorityOperation = 'discovery' | 'keys' | 'token';

export type Operation = GraphOperation | AuthorityOperation;

/** The requests a fault applies to. */
export type Target =
  'create' | 'list' | 'get' | 'update' | 'delete' | 'write' | 'read' | 'request' | 'device' | 'token' | 'discovery';

const reads: readonly Operation[] = ['configurations', 'configuration', 'summary', 'list', 'get'];
const writes: readonly Operation[] = ['create', 'update', 'delete'];
const ofDirectory: readonly Operation[] = ['device', 'devices'];

const operationsOf: Record<Target, readonly Operation[]> = {
  create: ['create'],
  list: ['list'],
  get: ['get'],
  update: ['update'],
  delete: ['delete'],
  write: writes,
  read: reads,
  request: [...reads, ...writes, ...ofDirectory, 'unknown'],
  device: ofDirectory,
  token: ['token'],
  discovery: ['discovery'],
};

/** Whether a fault for this target applies to this operation. */
export function isMeantFor(target: Target, operation: Operation): boolean {
  return operationsOf[target].includes(operation);
}

/** The target for a word, singular or plural. */
export function parseTarget(word: string): Target | undefined {
  const singular = word === 'discoveries' ? 'discovery' : word.replace(/s$/, '');
  return Object.hasOwn(operationsOf, singular) ? (singular as Target) : undefined;
}

/** The valid words for targets, for error messages. */
export const targetWords = Object.keys(operationsOf);

/** Whether the operation belongs to Graph rather than to the token endpoint. */
export function isGraphOperation(operation: Operation): operation is GraphOperation {
  return operation !== 'discovery' && operation !== 'keys' && operation !== 'token';
}

/** Whether the operation belongs to the directory, which has limits and errors of its own. */
export function isDirectoryOperation(operation: Operation): operation is DirectoryOperation {
  return ofDirectory.includes(operation);
}

/** The limit the operation counts against. */
export function accessOf(operation: Operation): Access {
  if (isDirectoryOperation(operation)) return 'directory';
  return isWrite(operation) ? 'write' : 'read';
}

/** Whether the operation counts against the limit on writes. */
export function isWrite(operation: Operation): boolean {
  return writes.includes(operation);
}
