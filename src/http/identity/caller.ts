// A caller that proved who it is: a device, a relay that may speak for devices, or an operator.

export type Caller =
  /** `contentDigest`: the signed digest the body must match; null if none was signed. */
  | { kind: 'device'; deviceId: string; contentDigest: string | null }
  /** An app that may submit for any device; its client id. */
  | { kind: 'relay'; appId: string }
  | { kind: 'operator' };
