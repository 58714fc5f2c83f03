// The token endpoint: discovery, signing keys, and client credentials for an access token.
import { findApp } from './apps.ts';
import { graphAudiences } from './access-tokens.ts';
import type { Bearer } from './access-tokens.ts';
import { jsonAnswer } from '../server/answer.ts';
import type { Answer } from '../server/answer.ts';
import { authorityErrorAnswer } from './authority-error.ts';
import type { Call } from '../server/call.ts';
import { checkClientProof } from './client-proof.ts';
import type { Route } from '../server/route.ts';
import type { World } from '../state.ts';

type AuthorityRoute = Extract<Route, { operation: 'discovery' | 'keys' | 'token' }>;

/** Answers a request to the authority. */
export async function answerAuthority(world: World, call: Call, route: AuthorityRoute): Promise<Answer> {
  if (route.tenantId.toLowerCase() !== world.identity.tenantId.toLowerCase()) {
    return authorityErrorAnswer({
      status: 400,
      error: 'invalid_request',
      aadsts: 90002,
      message: `Tenant '${route.tenantId}' not found.`,
      trace: call.trace,
    });
  }
  switch (route.operation) {
    case 'discovery':
      return jsonAnswer(200, discoveryDocument(`${call.url.origin}/${route.tenantId}`));
    case 'keys':
      return jsonAnswer(200, world.tokens.keySet());
    case 'token':
      return await answerTokenRequest(world, call);
  }
}

function discoveryDocument(authority: string): Record<string, unknown> {
  return {
    token_endpoint: `${authority}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: `${authority}/discovery/v2.0/keys`,
    issuer: `${authority}/v2.0`,
    authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
  };
}

async function answerTokenRequest(world: World, call: Call): Promise<Answer> {
  const { settings, tokens } = world;
  const refuse = (status: number, error: string, aadsts: number, message: string) =>
    authorityErrorAnswer({ status, error, aadsts, message, trace: call.trace });

  if (call.method !== 'POST') return refuse(400, 'invalid_request', 900561, 'The endpoint only accepts POST requests.');
  const form = new URLSearchParams(call.body);
  const missing = ['grant_type', 'client_id', 'scope'].find((name) => !form.has(name));
  if (missing !== undefined) {
    return refuse(400, 'invalid_request', 900144, `The request body must contain the parameter: '${missing}'.`);
  }
  if (form.get('grant_type') !== 'client_credentials') {
    return refuse(400, 'unsupported_grant_type', 70003, 'The app requested an unsupported grant type.');
  }
  const app = findApp(world, form.get('client_id') ?? '');
  if (app === undefined) {
    const message = `Application with identifier '${form.get('client_id') ?? ''}' was not found in the directory.`;
    return refuse(400, 'unauthorized_client', 700016, message);
  }
  if (settings.secret === 'revoked') {
    return refuse(401, 'invalid_client', 7000222, 'The provided client secret keys for the app are expired.');
  }
  const proof = await checkClientProof(form, app.proofs, {
    clientId: app.clientId,
    audience: call.url.origin + call.url.pathname,
    at: call.trace.at,
  });
  if (proof.kind === 'refused') return refuse(401, 'invalid_client', proof.aadsts, proof.message);

  const resource = /^(\S+)\/\.default$/.exec(form.get('scope') ?? '')?.[1];
  if (resource === undefined) {
    const message =
      'Client credential flows must have a scope value with /.default suffixed to the resource identifier.';
    return refuse(400, 'invalid_scope', 1002012, message);
  }
  const audience = graphAudiences.find((known) => known === resource);
  if (audience === undefined) {
    return refuse(
      400,
      'invalid_resource',
      500011,
      `The resource principal named ${resource} was not found in the tenant.`,
    );
  }
  const claimsChallenge: Bearer['claimsChallenge'] = form.get('claims')?.includes('cp1')
    ? 'understood'
    : 'not-understood';
  const token = await tokens.issue({
    appId: app.clientId,
    audience,
    roles: app.roles,
    lifetimeS: settings.tokenLifetimeS,
    claimsChallenge,
  });
  return jsonAnswer(200, {
    token_type: 'Bearer',
    expires_in: settings.tokenLifetimeS,
    ext_expires_in: settings.tokenLifetimeS,
    ...(settings.refreshInS === null ? {} : { refresh_in: settings.refreshInS }),
    access_token: token,
  });
}
