// `tenants add` and `tenants remove`: an entry of the tenants file, and with --purge all that Redis holds of the tenant.
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { TENANT_ID } from '../../config/tenants/schema.ts';
import { openRedis } from '../../queue/redis/open-redis.ts';
import { purgeTenant } from '../../queue/redis/move/purge-tenant.ts';
import { EXIT } from '../exit.ts';
import { confirm } from '../operator/confirm.ts';
import { OperatorError } from '../operator/operator.ts';
import { print } from '../out.ts';
import { changeFile, configOf, fileOf } from './tenants-file.ts';

export type AddFlags = {
  file?: string;
  azureTenant: string;
  clientId?: string;
  clientSecretFile?: string;
  clientCertificateFile?: string;
  federatedTokenFile?: string;
  managedIdentity?: true;
  groupKeyFile?: string[];
  caFile?: string;
  idFromCert?: string;
  directory?: true;
  writesPer20s?: number;
  paused?: true;
};

export type RemoveFlags = { file?: string; purge?: true; yes?: true };

/** Longer than processes need to see that the file has changed, and to end what is in progress as a rule. */
const STOPPED_AFTER_MS = 5000;

export async function addTenant(id: string, flags: AddFlags): Promise<void> {
  const path = fileOf(flags.file);
  const { clientId, clientSecretFile, clientCertificateFile, federatedTokenFile, managedIdentity } = flags;
  const credential = { clientSecretFile, clientCertificateFile, federatedTokenFile, managedIdentity };
  const devices = {
    groupKeyFiles: flags.groupKeyFile,
    caFile: flags.caFile,
    idFromCert: flags.idFromCert,
    directory: flags.directory && 'entra',
  };
  const entry = {
    id,
    azure: withoutUndefined({ tenantId: flags.azureTenant, clientId, ...credential }),
    ...(flags.writesPer20s !== undefined && { graph: { writesPer20s: flags.writesPer20s } }),
    ...(Object.values(devices).some((value) => value !== undefined) && { devices: withoutUndefined(devices) }),
    ...(flags.paused && { paused: true }),
  };
  await changeFile(path, (tenants, document) => {
    if (tenants.items.length === 0) tenants.flow = false;
    tenants.add(document.createNode(entry));
    return true;
  });
  print(`${id} is in ${path}; processes take it up within seconds`);
}

export async function removeTenant(id: string, { file, purge, yes }: RemoveFlags): Promise<void> {
  const path = fileOf(file);
  const config = configOf(path);
  if (!TENANT_ID.test(id)) throw new OperatorError('a tenant’s id is 1 to 40 of a–z 0–9 -', EXIT.usage);
  // Whoever names a wrong file would purge a tenant that goes on.
  if (!existsSync(path)) throw new OperatorError(`there is no file ${path}`, EXIT.config);
  if (purge)
    await confirm(`Forget everything of tenant ${id} for good: what waits, what was delivered, its dead letters?`, yes);
  const { isAlias, isMap } = await import('yaml');
  const isThere = await changeFile(path, (tenants, document) => {
    const index = tenants.items.findIndex((item) => {
      const entry = isAlias(item) ? item.resolve(document) : item;
      return isMap(entry) && entry.get('id') === id;
    });
    if (index >= 0) tenants.delete(index);
    return index >= 0;
  });
  if (!isThere && !purge) throw new OperatorError(`there is no tenant ${id} in ${path}`, EXIT.refused);
  if (isThere) print(`${id} is no longer in ${path}; processes stop its work within seconds, and its data is kept`);
  if (!purge) return;
  if (isThere) await delay(STOPPED_AFTER_MS);
  const ignore = () => undefined;
  const redis = await openRedis(config.redis, 'work', {
    redisTrouble: ignore,
    waitingForRedis: ignore,
    durability: ignore,
  });
  try {
    if (redis.connection.status !== 'ready') throw new OperatorError('Redis does not answer', EXIT.later);
    print(`${await purgeTenant(redis, id)} keys of ${id} are forgotten`);
  } finally {
    await redis.close();
  }
}

const withoutUndefined = (members: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
