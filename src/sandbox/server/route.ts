// Maps method and path to an operation: Graph's beta paths, the directory's, and the token endpoint's.
import type { GraphOperation } from '../faults/operation.ts';

export type Route =
  | { operation: 'discovery' | 'keys' | 'token'; tenantId: string }
  | { operation: 'configurations' }
  | { operation: 'configuration' | 'summary' | 'list' | 'create'; configurationId: string }
  | { operation: 'get' | 'update' | 'delete'; configurationId: string; stateId: string }
  | { operation: 'device'; deviceId: string }
  | { operation: 'devices' }
  | { operation: 'unknown'; why: 'no-such-path' | 'method-not-allowed' };

const authorityPath =
  /^\/([^/]+)\/(?:(v2\.0\/\.well-known\/openid-configuration)|(discovery\/v2\.0\/keys)|oauth2\/v2\.0\/token)$/;
const graphPath =
  /^\/beta\/deviceManagement\/hardwareConfigurations(?:\/([^/]+)(?:\/(runSummary|deviceRunStates)(?:\/([^/]+))?)?)?$/;

const directoryPath = /^\/v1\.0\/devices(?:\(deviceId='([^'/]*)'\))?$/;

const ofCollection: Record<string, GraphOperation> = { GET: 'list', POST: 'create' };
const ofRunState: Record<string, GraphOperation> = { GET: 'get', PATCH: 'update', DELETE: 'delete' };

/** Parses method and path. Ids are taken as they are; whether they exist is checked later. */
export function findRoute(method: string, path: string): Route {
  const authority = authorityPath.exec(path);
  if (authority !== null) {
    const [, tenantId = '', discovery, keys] = authority;
    return { operation: discovery !== undefined ? 'discovery' : keys !== undefined ? 'keys' : 'token', tenantId };
  }
  const directory = directoryPath.exec(path);
  if (directory !== null) return findDirectoryRoute(method, directory[1]);
  const graph = graphPath.exec(path);
  if (graph === null) return { operation: 'unknown', why: 'no-such-path' };
  return findGraphRoute(method, graph[1], graph[2], graph[3]);
}

function findDirectoryRoute(method: string, deviceId?: string): Route {
  if (method !== 'GET') return { operation: 'unknown', why: 'method-not-allowed' };
  return deviceId === undefined ? { operation: 'devices' } : { operation: 'device', deviceId };
}

function findGraphRoute(method: string, configurationId?: string, navigation?: string, stateId?: string): Route {
  const notAllowed: Route = { operation: 'unknown', why: 'method-not-allowed' };
  if (configurationId === undefined) return method === 'GET' ? { operation: 'configurations' } : notAllowed;
  if (stateId !== undefined) {
    if (navigation === 'runSummary') return { operation: 'unknown', why: 'no-such-path' };
    const operation = ofRunState[method];
    if (operation !== 'get' && operation !== 'update' && operation !== 'delete') return notAllowed;
    return { operation, configurationId, stateId };
  }
  if (navigation === 'deviceRunStates') {
    const operation = ofCollection[method];
    return operation === 'list' || operation === 'create' ? { operation, configurationId } : notAllowed;
  }
  if (method !== 'GET') return notAllowed;
  return { operation: navigation === 'runSummary' ? 'summary' : 'configuration', configurationId };
}
