// The OpenAPI 3.1 document, made from the schemas that validate requests and type responses.
import { createDocument } from 'zod-openapi';
import { ROLES } from '../identity/entra/roles.ts';
import { devicePaths } from './devices.ts';
import { openPaths } from './open.ts';
import { operatorPaths } from './operators.ts';

const DESCRIPTION = `Takes hardware configuration run results from devices and creates them in Microsoft Graph, once
each, at the pace Graph allows.

Every refusal is \`application/problem+json\` (RFC 9457). Branch on \`code\`: it does not change. Members may be added to
answers; ignore those you do not know. What may be read with GET may be asked for with HEAD.`;

const SIGNATURE = `The request is signed with the device's key: RFC 9421 HTTP Message Signatures with \`hmac-sha256\`,
RFC 9530 for the digest of the body.

\`\`\`
Content-Digest: sha-256=:<base64 of the SHA-256 of the body's bytes>:
Signature-Input: device=("@method" "@path" "content-digest");created=<unix seconds>;keyid="<deviceId>";alg="hmac-sha256"
Signature: device=:<base64 of the HMAC>:
\`\`\`

The HMAC is over this text, without a line break at its end:

\`\`\`
"@method": POST
"@path": /v1/run-results
"content-digest": <the value of Content-Digest>
"@signature-params": <the value of Signature-Input, without device=>
\`\`\`

The label and the order are free, and more may be covered: \`@authority\`, \`@target-uri\`, \`@request-target\`, \`@scheme\`,
\`@query\`, \`@query-param\`, header fields. Of up to 8 signatures the first whose \`keyid\` is a device id counts.
Where the service is reached below a path, \`@path\` may be with it or without it.

A GET has no body: its components are \`("@method" "@path")\`. The HMAC's key is the base64-decoded device key, which is
\`base64(HMAC-SHA256(base64decode(groupKey), deviceId))\`. \`created\` may be 300 s off the server's clock; the answer's
\`Date\` tells the server's time. A request sent twice is harmless: the run id is in the signed body, so it is the same
delivery.`;

export type OpenApi = ReturnType<typeof createDocument>;

export function createOpenApi(): OpenApi {
  return createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: 'runstate-bridge',
        version: '1',
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      // Relative to the document, so it works behind any proxy.
      servers: [{ url: '.' }],
      tags: [
        { name: 'Devices', description: 'Submit run results and ask what became of them.' },
        { name: 'Operators', description: 'These routes exist where the service was given an operator token.' },
        { name: 'Open to all' },
      ],
      paths: { ...devicePaths, ...operatorPaths, ...openPaths },
      components: {
        securitySchemes: {
          deviceSignature: { type: 'apiKey', in: 'header', name: 'Signature', description: SIGNATURE },
          deviceCertificate: {
            type: 'mutualTLS',
            description: 'A client certificate in which the device is named, where the service knows its authority.',
          },
          entraToken: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: `An access token of Entra, where the service takes them: with the role \`${ROLES.relay}\` for
an app that submits for devices, with \`${ROLES.operator}\` for operators.`,
          },
          operatorToken: { type: 'http', scheme: 'bearer', description: 'The operator token.' },
          operatorPassword: {
            type: 'http',
            scheme: 'basic',
            description: 'For browsers: any user name, the operator token as password.',
          },
        },
      },
    },
    {
      // Members may be added later: generated clients must not reject unknown ones.
      override: ({ jsonSchema, io }) => {
        if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      },
    },
  );
}
