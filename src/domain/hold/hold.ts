// Holds: why deliveries of a tenant or of one configuration are kept back, what ends that, and what an operator can do.
import { hash } from 'node:crypto';

/** Causes that are not specific to one delivery. */
export const HOLD_REASONS = [
  'unauthenticated',
  'forbidden',
  'credential-refused',
  'route-not-served',
  'all-rejected',
  'graph-unavailable',
  'token-endpoint-unavailable',
] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

/** The operation an attempt requests from Graph. */
export type Operation = 'create' | 'look';

/** What a hold stops and what ends it: creates, lookups, or reaching Graph with a token. */
export type About = Operation | 'any';

/** An active hold. Instants are milliseconds since 1970. */
export type Hold = {
  reason: HoldReason;
  about: About;
  /** The only configuration that is held; null if the whole tenant is. */
  hardwareConfigurationId: string | null;
  since: number;
  detail: string;
  /** Number of failed probes. */
  probes: number;
  /** When the next probe may be sent; while one is in flight, when it counts as lost. */
  probeAt: number;
  /** For tenant holds possibly caused by one configuration: when one that has not failed itself may send the probe. */
  tryOthersAt: number;
  /** The delivery chosen as the probe, or in flight as one. */
  probe: string | null;
  /** For tenant holds: the configuration whose failure began it; null if no single configuration can be the cause. */
  begunBy: string | null;
};

/** Identifies a hold: what it is about and, if it concerns one configuration, that configuration's key. */
export type HoldKey = About | `${Operation}:${string}`;

export const keyOfHold = (operation: Operation, hardwareConfigurationId: string): HoldKey =>
  `${operation}:${configurationKey(hardwareConfigurationId)}`;

const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** A short key for a configuration id, the same for every spelling of a GUID. */
export function configurationKey(hardwareConfigurationId: string): string {
  return GUID.test(hardwareConfigurationId)
    ? Buffer.from(hardwareConfigurationId.replaceAll('-', ''), 'hex').toString('base64url')
    : hash('sha256', hardwareConfigurationId, 'base64url').slice(0, 22);
}

/** The configuration id, in lower case, of a key that was made from a GUID. */
export const toConfigurationId = (key: string): string =>
  Buffer.from(key, 'base64url')
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** What an operator can do about each reason. */
export const REMEDIES: Record<HoldReason, string> = {
  unauthenticated:
    'Graph refuses the token although it is fresh. Check that GRAPH_CLOUD, GRAPH_BASE_URL and the tenant belong together and that this machine’s clock is right.',
  forbidden:
    'Grant the app registration the application permission DeviceManagementConfiguration.ReadWrite.All with admin consent, and see that the tenant has an Intune licence and no Conditional Access policy blocks the app.',
  'credential-refused':
    'The credential cannot be used: the token endpoint refuses it, or its file is not usable. Renew the secret or certificate, or correct AZURE_TENANT_ID and AZURE_CLIENT_ID; where the detail names a file, correct that file.',
  'route-not-served':
    'The tenant’s Intune does not take creates at this address. Check that GRAPH_CLOUD and GRAPH_BASE_URL name the beta version of the tenant’s cloud. Then POST one device run state by hand (Graph Explorer, to /deviceManagement/hardwareConfigurations/{id}/deviceRunStates): 201 means the route is served and this hold ends by itself; the same answer means Intune does not serve it to this tenant. Then open a support case with Microsoft Intune and name the request id. Purge nothing: everything is kept, and probes go on.',
  'all-rejected':
    'Graph rejects every create alike, so the cause is no single run result’s. Compare the detail with what devices send, and POST one device run state by hand (Graph Explorer, to /deviceManagement/hardwareConfigurations/{id}/deviceRunStates): if that is rejected too, Graph or the configuration has changed; ask Microsoft Intune’s support with the request id. If it is created, correct what the agents send. Once a probe is created the hold ends by itself; what was rejected before is dead and can be replayed by its code.',
  'graph-unavailable':
    'Graph cannot be reached or answers with errors. Check network, proxy (HTTPS_PROXY, NO_PROXY), DNS and Microsoft’s service health. Where the detail speaks of a certificate, set NODE_EXTRA_CA_CERTS to the PEM file of the authority that inspects TLS in your network.',
  'token-endpoint-unavailable':
    'The token endpoint cannot be reached or answers with errors. Check network, proxy (HTTPS_PROXY, NO_PROXY), DNS, AZURE_AUTHORITY_HOST and Microsoft’s service health. Where the detail speaks of a certificate, set NODE_EXTRA_CA_CERTS to the PEM file of the authority that inspects TLS in your network.',
};

/** Precedes the remedy if only one configuration is held. */
const ONE_CONFIGURATION =
  'Only this configuration’s run results are kept back; those of all others flow. If it alone is refused, see in Intune whether it exists, is assigned, and is in the app’s scope.';

/** Replaces the remedy of a route that is not served if the route is the one for lookups. */
const NO_LISTING =
  'The tenant’s Intune does not list device run states at this address, so lookups for creates whose answer was lost cannot be made. Check that GRAPH_CLOUD and GRAPH_BASE_URL name the beta version of the tenant’s cloud. Then GET them by hand (Graph Explorer, /deviceManagement/hardwareConfigurations/{id}/deviceRunStates): 200 means the route is served and this hold ends by itself; the same answer means Intune does not serve it to this tenant. Then open a support case with Microsoft Intune and name the request id. Purge nothing: everything is kept, and probes go on.';

/** What to do about a hold, for an operator. */
export function remedyOfHold({
  reason,
  about,
  hardwareConfigurationId,
}: Pick<Hold, 'reason' | 'about' | 'hardwareConfigurationId'>): string {
  const remedy = reason === 'route-not-served' && about === 'look' ? NO_LISTING : REMEDIES[reason];
  return hardwareConfigurationId === null ? remedy : `${ONE_CONFIGURATION} ${remedy}`;
}

/** A configuration's hold ends without a probe once the probe is this long overdue, unless one of its deliveries is left. */
export const FORGOTTEN_AFTER_MS = 3_600_000;

/** Whether a configuration's hold is over if none of its deliveries is left to probe it. */
export const isForgotten = ({ hardwareConfigurationId, probeAt }: Hold, now: number): boolean =>
  hardwareConfigurationId !== null && now - probeAt > FORGOTTEN_AFTER_MS;

const isOfTenant = ({ hardwareConfigurationId }: Hold) => hardwareConfigurationId === null;

/** The hold that stops all of a tenant's creates; null if there is none. */
export const tenantHold = (holds: readonly Hold[]): Hold | null =>
  holds.find((hold) => isOfTenant(hold) && hold.about !== 'look') ?? null;

/** The holds of single configurations. */
export const configurationHolds = (holds: readonly Hold[]): Hold[] => holds.filter((hold) => !isOfTenant(hold));

/** Holds that leave other configurations' creates running: those of single configurations, or of lookups only. */
export const partialHolds = (holds: readonly Hold[]): Hold[] =>
  holds.filter((hold) => !isOfTenant(hold) || hold.about === 'look');

/** The hold that stops a delivery's next step: the tenant's, or else its configuration's. */
export function holdOf(holds: readonly Hold[], operation: Operation, hardwareConfigurationId: string): Hold | null {
  const stopping = holds.filter(({ about }) => about === operation || about === 'any');
  if (stopping.length === 0) return null;
  const key = configurationKey(hardwareConfigurationId);
  return (
    stopping.find((hold) => hold.hardwareConfigurationId === null) ??
    stopping.find(
      (hold) => hold.hardwareConfigurationId !== null && configurationKey(hold.hardwareConfigurationId) === key,
    ) ??
    null
  );
}

/**
 * The holds to report to a person: one per reason and scope, without configuration holds that a hold of the tenant
 * already explains. The tenant's come first, then the oldest.
 */
export function summariseHolds(holds: readonly Hold[]): Hold[] {
  const shown: Hold[] = [];
  const rank = ({ hardwareConfigurationId, about, since }: Hold) =>
    [hardwareConfigurationId === null ? 0 : 1, about === 'look' ? 1 : 0, since] as const;
  const inOrder = holds.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
  });
  for (const hold of inOrder) {
    const explained = shown.some(
      ({ reason, hardwareConfigurationId }) =>
        reason === hold.reason &&
        (hardwareConfigurationId === null || hardwareConfigurationId === hold.hardwareConfigurationId),
    );
    if (!explained) shown.push(hold);
  }
  return shown;
}
