// The managed identity endpoint of a container platform (2019-08-01): issues tokens to callers that send the identity header.
import type { IncomingHttpHeaders } from 'node:http';

import { findApp } from './apps.ts';
import { graphAudiences } from './access-tokens.ts';
import { jsonAnswer } from '../server/answer.ts';
import type { Answer } from '../server/answer.ts';
import type { World } from '../state.ts';

/** Answers `GET /msi/token?api-version=2019-08-01&resource=…` with `X-IDENTITY-HEADER`. */
export async function answerManagedIdentity(
  world: World,
  parameters: URLSearchParams,
  headers: IncomingHttpHeaders,
): Promise<Answer> {
  const { settings, identity, tokens } = world;
  const refuse = (statusCode: number, message: string) => jsonAnswer(statusCode, { statusCode, message });
  if (headers['x-identity-header'] !== identity.managedIdentityHeader)
    return refuse(401, 'X-IDENTITY-HEADER is wrong.');
  if (parameters.get('api-version') !== '2019-08-01') return refuse(400, 'The api-version is not supported.');
  const resource = parameters.get('resource') ?? '';
  const audience = graphAudiences.find((known) => known === resource.replace(/\/$/, ''));
  if (audience === undefined) return refuse(400, `The resource '${resource}' is not known.`);
  const appId = identity.clientId;
  const roles = findApp(world, appId)?.roles ?? [];
  const lifetimeS = settings.tokenLifetimeS;
  const token = await tokens.issue({ appId, audience, roles, lifetimeS, claimsChallenge: 'not-understood' });
  return jsonAnswer(200, {
    access_token: token,
    expires_on: (Math.floor(world.now() / 1000) + lifetimeS).toString(),
    resource,
    token_type: 'Bearer',
    client_id: appId,
  });
}
