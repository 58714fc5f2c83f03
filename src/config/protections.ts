// Which optional protections are on and which are off, by the variable that turns each on; logged at start.
import type { Config, Role } from './config.ts';

export type Protections = { on: string[]; off: string[] };

export function describeProtections(config: Config, role: Role): Protections {
  const { redis } = config;
  // A Unix socket, as of the embedded server, needs no TLS.
  const reachesRedisByTls =
    redis.kind === 'embedded' ||
    redis.access?.tls === true ||
    (redis.kind === 'single' && /^(rediss|unix):/.test(redis.url.reveal()));
  const protections = {
    PAYLOAD_KEYS: config.payloadKeys.length > 0,
    REDIS_TLS: reachesRedisByTls,
    ...(role === 'api' && ofTheApi(config)),
  };
  const names = (isOn: boolean) => Object.entries(protections).flatMap(([name, on]) => (on === isOn ? [name] : []));
  return { on: names(true), off: names(false) };
}

function ofTheApi({ http, identity, directory, backlog, tenantsFile, entraAudiences }: Config) {
  // With a tenants file each tenant has its own identities.
  const isOneTenant = tenantsFile === null;
  return {
    ...(isOneTenant && { DEVICE_GROUP_KEYS: http.groupKeys.length > 0 }),
    TLS_CERT_FILE: identity.tls !== null,
    ...(isOneTenant && { DEVICE_CA_FILE: identity.devices !== null, DEVICE_DIRECTORY: directory !== null }),
    ENTRA_AUDIENCE: entraAudiences.length > 0,
    OPERATOR_TOKEN: http.operatorToken !== null,
    DEVICE_RATE_PER_MIN: http.deviceRatePerMin > 0,
    MAX_BACKLOG_BYTES: backlog.maxBytes !== null,
    MAX_BACKLOG_AGE_H: backlog.maxAgeMs !== null,
  };
}
