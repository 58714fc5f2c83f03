// The form of the tenants file; docs/tenants.schema.json is made from it.
import { z } from 'zod';
import { DIRECTORY_REQUIREMENTS } from '../../domain/directory/judge-device.ts';
import { PRIORITIES } from '../../domain/priority.ts';
import { parseDeviceIdRule } from '../../domain/submission/device-certificate.ts';

const MOST_TENANTS = 1000;

export const TENANT_ID = /^[a-z0-9-]{1,40}$/;

const path = z.string().min(1).max(4096);
const guid = z.string().regex(/^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/, 'must be a GUID');
const hours = (most: number) => z.number().gt(0).max(most);
const whole = (least: number, most: number) => z.int().min(least).max(most);
const httpsUrl = z
  .string()
  .refine((text) => URL.canParse(text) && new URL(text).protocol === 'https:', 'must be an https URL')
  .refine((text) => !URL.canParse(text) || !/[?@#]/.test(text), 'must have no credentials, query or fragment');

/** An absent member and `null` mean the same. */
const optional = <T extends z.ZodType>(schema: T) => schema.nullable().optional();

const CREDENTIALS = ['clientSecretFile', 'clientCertificateFile', 'federatedTokenFile', 'managedIdentity'] as const;

const azureSchema = z
  .strictObject({
    tenantId: guid.describe('The customer’s Entra tenant.'),
    clientId: optional(guid).describe('The app registration; of a user-assigned managed identity its client id.'),
    clientSecretFile: optional(path).describe('A file that holds the secret alone; read for each new token.'),
    clientCertificateFile: optional(path).describe('PEM with certificate and private key; read for each new token.'),
    federatedTokenFile: optional(path).describe('A token of workload identity federation.'),
    managedIdentity: optional(z.literal(true)).describe('The machine’s own identity.'),
  })
  .refine((azure) => CREDENTIALS.filter((name) => azure[name] != null).length === 1, {
    error: `must have one of ${CREDENTIALS.join(', ')}`,
  })
  .refine((azure) => azure.managedIdentity === true || azure.clientId != null, {
    error: 'is required',
    path: ['clientId'],
  });

const graphSchema = z.strictObject({
  cloud: optional(z.enum(['global', 'usgov', 'usgovdod', 'china'])),
  baseUrl: optional(
    httpsUrl.refine(
      (url) => URL.canParse(url) && new URL(url).pathname.length > 1,
      'must end in the version, as in https://graph.microsoft.com/beta',
    ),
  ),
  authorityHost: optional(httpsUrl),
  writesPer20s: optional(whole(1, 1_000_000)).describe('The starting throttle budget.'),
});

const devicesSchema = z.strictObject({
  groupKeyFiles: optional(z.array(path).max(16)).describe('Files of base64 group keys, one or more in each.'),
  caFile: optional(path).describe('PEM of the authorities that issue device certificates.'),
  idFromCert: optional(
    z.string().refine((text) => parseDeviceIdRule(text) !== null, 'must be a rule as of DEVICE_ID_FROM_CERT'),
  ),
  directory: optional(
    z.union([
      z.literal('entra'),
      z.strictObject({
        require: optional(z.enum(DIRECTORY_REQUIREMENTS)),
        maxAgeH: optional(hours(168)),
      }),
    ]),
  ).describe('Whether the Entra device directory vouches for devices, and how.'),
});

const deliverySchema = z.strictObject({
  priority: optional(z.enum(PRIORITIES)),
  supersede: optional(z.boolean()),
  maxAgeH: optional(hours(87_600)),
  dedupeWindowH: optional(hours(87_600)),
  maxBacklogBytes: optional(whole(1, 100_000_000_000_000)).describe(
    'So that no tenant fills Redis for all; 429 backlog-full beyond it.',
  ),
  maxBacklogAgeH: optional(hours(87_600)),
});

const tenantSchema = z.strictObject({
  id: z
    .string()
    .regex(TENANT_ID, 'must be 1 to 40 of a–z 0–9 -')
    .describe('For ever: it names all data of the tenant.'),
  azure: azureSchema,
  graph: optional(graphSchema),
  devices: optional(devicesSchema),
  delivery: optional(deliverySchema),
  paused: optional(z.boolean()).describe('True: run results are accepted, and nothing is created.'),
});

export const tenantsFileSchema = z
  .strictObject({ tenants: z.array(tenantSchema).max(MOST_TENANTS) })
  .meta({ title: 'The tenants of runstate-bridge' });

export type TenantEntry = z.infer<typeof tenantSchema>;
