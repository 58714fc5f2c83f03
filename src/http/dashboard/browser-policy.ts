// What a browser may do on the operators' pages: only what comes from here, in no frame, and nothing that changes a place.
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
    // Whatever ends TLS decides that.
    strictTransportSecurity: false,
  });

/** Our page writes nothing into itself as HTML, and so may not. */
export const pagePolicy = createPolicy({ ...DIRECTIVES, requireTrustedTypesFor: ["'script'"], trustedTypes: NONE });

/** Bull-board's page names the base of its addresses, and writes HTML. */
export const boardPolicy = createPolicy({ ...DIRECTIVES, baseUri: SELF });
