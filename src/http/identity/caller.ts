// A caller that proved who it is: a device, a relay that may speak for devices, or an operator.

export type Caller =
  /** `contentDigest`: the signed digest the body must match; null if none was signed. */
  | { kind: 'device'; tenantId: string; deviceId: string; contentDigest: string | null }
  /** An app that may submit for any device of its tenant; its client id. */
  | { kind: 'relay'; tenantId: string; appId: string }
  /** `tenantIds`: those it may see; null for all. */
  | { kind: 'operator'; tenantIds: readonly string[] | null };
