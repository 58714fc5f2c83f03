// Who may do what on the servers of a topology: everybody everything, or the user that the documentation describes what it says, with TLS or without.
import { BESIDE, documentedRules } from '../support/redis-rights.ts';
import type { Secured } from '../support/redis-servers.ts';
import { nodeAddress, sentinelAddress } from './hosts.ts';

export type Access = { isRestricted: boolean; isEncrypted: boolean };

export type AccessSettings = {
  /** For all servers; undefined where everybody may do everything. */
  secured: Secured | undefined;
  /** Lines of the configuration of a data node, and of a sentinel that watches over the service of this name. */
  nodeLines: readonly string[];
  sentinelLines: (service: string) => readonly string[];
  /** How a process comes. */
  environment: Record<string, string>;
};

const ADMIN = 'administrator';
const USER = { REDIS_USERNAME: 'bridge', REDIS_PASSWORD: 'campaign' };
const HOSTS = [1, 2, 3, 4, 5, 6].flatMap((number) => [nodeAddress(number), sentinelAddress(number)]);

/** With TLS there are passwords too. */
export function createAccess({ isRestricted, isEncrypted }: Access, kind: 'sentinel' | 'cluster'): AccessSettings {
  if (!isRestricted && !isEncrypted)
    return { secured: undefined, nodeLines: [], sentinelLines: () => [], environment: {} };
  const beside = kind === 'cluster' ? [...BESIDE.inCluster, ...BESIDE.waitingInCluster] : BESIDE.waiting;
  const user = (rules: readonly string[]) => `user ${USER.REDIS_USERNAME} ${rules.join(' ')}`;
  return {
    secured: { password: ADMIN, tls: isEncrypted, hosts: HOSTS, hasOwnAuthority: true },
    nodeLines: [`masterauth ${ADMIN}`, user([...documentedRules(USER.REDIS_PASSWORD), ...beside])],
    sentinelLines: (service) => [
      `sentinel auth-pass ${service} ${ADMIN}`,
      `sentinel sentinel-pass ${ADMIN}`,
      user([`on >${USER.REDIS_PASSWORD} -@all`, ...BESIDE.atSentinels]),
    ],
    environment: { ...USER, REDIS_TLS: isEncrypted ? 'on' : 'off' },
  };
}

/** Commands that a server refused to the user, but for what gives connections names. @param log reply to ACL LOG */
export function deniedIn(log: string): string[] {
  return [...log.matchAll(/^object\n(.*)$/gm)]
    .map(([, name = '']) => name)
    .filter((name) => !name.startsWith('client'));
}
