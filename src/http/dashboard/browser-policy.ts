// Content security policies of the operators' pages: only resources from this service, no frames, no forms.
import helmet from 'helmet';

const SELF = ["'self'"];
const NONE = ["'none'"];

const DIRECTIVES = {
  defaultSrc: NONE,
  scriptSrc: SELF,
  styleSrc: SELF,
  imgSrc: SELF,
  connectSrc: SELF,
  baseUri: NONE,
  formAction: NONE,
  frameAncestors: NONE,
};

const createPolicy = (directives: Record<string, string[]>) =>
  helmet({
    contentSecurityPolicy: { useDefaults: false, directives },
    frameguard: { action: 'deny' },
    // Decided by whatever terminates TLS.
    strictTransportSecurity: false,
  });

/** Our page never sets HTML, so Trusted Types can forbid it. */
export const pagePolicy = createPolicy({ ...DIRECTIVES, requireTrustedTypesFor: ["'script'"], trustedTypes: NONE });

/** Bull-board's page needs a base element and sets HTML. */
export const boardPolicy = createPolicy({ ...DIRECTIVES, baseUri: SELF });
