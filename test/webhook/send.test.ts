// A message on its way to a real receiver: its body, its signature, the card for Teams; and whatever the receiver does.
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { openSend } from '../../src/api/announcements.ts';
import { toAlerts } from '../../src/config/alerts.ts';
import { environmentSchema } from '../../src/config/environment.ts';
import type { Message } from '../../src/domain/announcements/announcement.ts';
import { createFetch } from '../../src/graph/fetch.ts';
import { createSend } from '../../src/webhook/send.ts';
import { freePort } from '../support/free-port.ts';
import { SIGNING_KEY, startReceiver, verifySignature, type Receiver } from '../support/receiver.ts';

const MESSAGE: Message = {
  id: 'msg_1',
  type: 'hold.began',
  tenant: 'contoso',
  reason: 'forbidden',
  detail: 'All deliveries: [click](https://evil.example) **403**',
  remedy: 'Grant it.',
  since: Date.UTC(2026, 10, 29, 12),
  at: Date.UTC(2026, 10, 29, 12, 0, 1),
  count: 1,
};

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

function configure(env: Record<string, string>) {
  const alerts = toAlerts(environmentSchema.parse(env));
  if (!alerts) throw new Error('there is no webhook');
  return alerts;
}
async function send(env: Record<string, string> = {}, message: Message = MESSAGE) {
  return (await openSend(configure({ ...receiver.environment(), ...env }), { proxy: null }))(message);
}
const only = () => {
  const [one, ...others] = receiver.received;
  if (!one || others.length > 0) throw new Error(`${receiver.received.length} requests`);
  return one;
};

test('a message · is the contracted JSON · signed as Standard Webhooks says', async () => {
  expect(await send({ PUBLIC_ORIGIN: 'https://bridge.example', PUBLIC_BASE_PATH: '/bios' })).toEqual({
    kind: 'taken',
    detail: 'answered 204',
  });
  const { method, url, headers, body } = only();
  expect([method, url, headers['content-type']]).toEqual(['POST', '/hooks?token=not-for-logs', 'application/json']);
  expect(headers['webhook-id']).toBe('msg_1');
  expect(Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp']))).toBeLessThan(10);
  expect(headers['webhook-signature']).toMatch(/^v1,/);
  expect(verifySignature(only())).toEqual(body);
  expect(body).toEqual({
    type: 'hold.began',
    tenant: 'contoso',
    reason: 'forbidden',
    detail: MESSAGE.detail,
    remedy: 'Grant it.',
    since: '2026-11-29T12:00:00.000Z',
    at: '2026-11-29T12:00:01.000Z',
    link: 'https://bridge.example/bios/dashboard?tenant=contoso',
  });
});

test('one for several · has a count · and of no tenant it links to the dashboard', async () => {
  await send({}, { ...MESSAGE, tenant: null, count: 40 });
  expect(only().body).toMatchObject({ count: 40, tenant: null, link: '/dashboard' });
});

test('two keys · both sign · and a key from a file is read again for each request', async () => {
  const path = join(tmpdir(), `runstate-signing-key-${process.pid}`);
  onTestFinished(() => rmSync(path));
  const other = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
  writeFileSync(path, `${other}\n`);
  const alerts = configure({ ALERT_WEBHOOK_URL: receiver.url, ALERT_WEBHOOK_SECRET_FILE: path });
  const sendSigned = await openSend(alerts, { proxy: null });
  await sendSigned(MESSAGE);
  writeFileSync(path, `${other},${SIGNING_KEY}\n`);
  await sendSigned(MESSAGE);
  const [first, second] = receiver.received;
  if (!first || !second) throw new Error('two were sent');
  expect(() => verifySignature(first)).toThrow();
  verifySignature(first, other);
  verifySignature(second, other);
  verifySignature(second);
  writeFileSync(path, 'nothing');
  expect(await sendSigned(MESSAGE)).toMatchObject({
    kind: 'failed',
    detail: expect.stringMatching(/^ALERT_WEBHOOK_SECRET_FILE /) as string,
  });
});

test('without a key · it is not signed', async () => {
  await (
    await openSend(configure({ ALERT_WEBHOOK_URL: receiver.url }), { proxy: null })
  )(MESSAGE);
  expect(only().headers['webhook-signature']).toBeUndefined();
});

test('for Teams · it is an Adaptive Card · whose texts cannot become links', async () => {
  await send({ ALERT_WEBHOOK_URL: `${receiver.url}&format=teams`, PUBLIC_ORIGIN: 'https://bridge.example' });
  const { url, text } = only();
  expect(url).toBe('/hooks?token=not-for-logs');
  const card = JSON.parse(text) as {
    type: string;
    attachments: { contentType: string; content: Record<string, unknown> }[];
  };
  expect(card.type).toBe('message');
  expect(card.attachments).toMatchObject([
    {
      contentType: 'application/vnd.microsoft.card.adaptive',
      content: {
        type: 'AdaptiveCard',
        version: '1.4',
        body: [
          { type: 'TextBlock', text: 'runstate-bridge: Held' },
          {
            type: 'FactSet',
            facts: [{ value: 'contoso' }, { value: 'forbidden' }, { value: '2026-11-29T12:00:00.000Z' }],
          },
          { type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: MESSAGE.detail }] },
          { type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: 'Grant it.' }] },
        ],
        actions: [{ type: 'Action.OpenUrl', url: 'https://bridge.example/dashboard?tenant=contoso' }],
      },
    },
  ]);
});

test('for Teams, without a known origin · no button leads nowhere', async () => {
  await send({ ALERT_WEBHOOK_URL: `${receiver.url}&format=teams` });
  expect(only().text).not.toContain('Action.OpenUrl');
});

test('a redirect · is not followed', async () => {
  const elsewhere = await startReceiver();
  onTestFinished(() => elsewhere.close());
  receiver.answer = (response) => response.writeHead(307, { location: elsewhere.url }).end();
  expect(await send()).toEqual({ kind: 'failed', detail: 'answered 307, and redirects are not followed' });
  expect(elsewhere.received).toEqual([]);
});

test('a refusal with a text · is told by its status · and by nothing the receiver said', async () => {
  receiver.answer = (response) => response.writeHead(500).end('secret-of-the-receiver');
  expect(await send()).toEqual({ kind: 'failed', detail: 'answered 500' });
});

test('an answer without end · is not read', async () => {
  receiver.answer = (response) => {
    response.writeHead(200);
    const endless = setInterval(() => response.write('x'.repeat(65_536)), 1);
    response.on('close', () => clearInterval(endless));
  };
  expect(await send()).toEqual({ kind: 'taken', detail: 'answered 200' });
});

test('a receiver that does not answer · is given up at a deadline', async () => {
  receiver.answer = () => undefined;
  const patient = createSend(configure(receiver.environment()), {
    post: createFetch(receiver.url, null, 10_000),
    clock: Date.now,
    withinMs: 50,
  });
  expect(await patient(MESSAGE)).toEqual({ kind: 'failed', detail: 'no answer within 50 ms' });
});

test('a receiver that is not there · is told by a code · without the address', async () => {
  const { detail } = await send({ ALERT_WEBHOOK_URL: `http://127.0.0.1:${await freePort()}/?token=not-for-logs` });
  expect(detail).toBe('not reached: ECONNREFUSED');
});

test('one that hangs up · is told as well', async () => {
  const server = createServer((socket) => socket.on('data', () => socket.destroy()).on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  expect(await send({ ALERT_WEBHOOK_URL: `http://127.0.0.1:${port}/` })).toEqual({
    kind: 'failed',
    detail: 'not reached: UND_ERR_SOCKET',
  });
});
