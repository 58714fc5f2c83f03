// A stand-in for Entra: publishes its signing keys and issues access tokens with the requested roles.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTHeaderParameters } from 'jose';
import { createTlsMaterial } from '../../src/sandbox/server/certificates.ts';
import { trustedTlsDirectory } from './graph.ts';

export const TENANT = '7a1f3b90-52a4-4b6f-9d1e-2f6c1f0a9b33';
const AUDIENCE = 'api://runstate-bridge';
export const APP_ID = '5f6c1f0a-9b33-4b6f-9d1e-2f7a1f3b9052';

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

/** How it answers requests for its keys. */
export type Mood = 'keys' | 'fails' | 'hangs' | 'redirects' | 'nonsense';

/** Changes to a valid token; undefined removes a member. */
export type Changes = { claims?: Record<string, unknown>; header?: Partial<JWTHeaderParameters>; key?: PrivateKey };

export type SigningAuthority = {
  /** Settings that make a service accept this authority's tokens. */
  env: Record<string, string>;
  issue: (...roles: string[]) => Promise<string>;
  sign: (roles: string[], changes?: Changes) => Promise<string>;
  /** Switches to another key; the old one is no longer published. */
  rotate: () => Promise<void>;
  feel: (mood: Mood) => void;
  /** How often its keys were requested. */
  asked: () => number;
  close: () => Promise<void>;
};

export async function startSigningAuthority(): Promise<SigningAuthority> {
  let mood: Mood = 'keys';
  let asked = 0;
  let generation = 0;
  let privateKey: PrivateKey;
  let published: JWK;

  async function rotate(): Promise<void> {
    const pair = await generateKeyPair('RS256');
    generation += 1;
    privateKey = pair.privateKey;
    published = { ...(await exportJWK(pair.publicKey)), kid: `key-${generation}`, use: 'sig', alg: 'RS256' };
  }

  function answer(response: ServerResponse, host: string): void {
    const json = { 'Content-Type': 'application/json' };
    switch (mood) {
      case 'keys':
        response.writeHead(200, json).end(JSON.stringify({ keys: [published] }));
        break;
      case 'fails':
        response.writeHead(503).end();
        break;
      case 'hangs':
        break;
      case 'redirects':
        response.writeHead(302, { Location: `${host}/elsewhere` }).end();
        break;
      case 'nonsense':
        response.writeHead(200, json).end('<html>');
        break;
    }
  }

  await rotate();
  const { certificatePem, privateKeyPem } = await createTlsMaterial(trustedTlsDirectory(), ['localhost']);
  const server = createServer({ cert: certificatePem, key: privateKeyPem }, (request, response) => {
    if (request.url !== `/${TENANT}/discovery/v2.0/keys`) {
      response.writeHead(404).end('{}');
      return;
    }
    asked += 1;
    answer(response, host);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `https://localhost:${(server.address() as AddressInfo).port}`;

  const sign = (roles: string[], { claims = {}, header = {}, key = privateKey }: Changes = {}) => {
    const nowS = Math.floor(Date.now() / 1000);
    const good = { tid: TENANT, roles, azp: APP_ID, iss: `${host}/${TENANT}/v2.0`, aud: AUDIENCE, sub: 'an-app' };
    return new SignJWT({ ...good, exp: nowS + 300, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: published.kid ?? '', ...header })
      .sign(key);
  };
  return {
    env: { AZURE_AUTHORITY_HOST: host, AZURE_TENANT_ID: TENANT, ENTRA_AUDIENCE: AUDIENCE },
    issue: (...roles) => sign(roles),
    sign,
    rotate,
    feel: (next) => void (mood = next),
    asked: () => asked,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
