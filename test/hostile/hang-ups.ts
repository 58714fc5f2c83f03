// Senders who hang up: every kind of request cut at any byte, by a reset or a half-close, at each of the service's doors.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { connect as connectSecurely } from 'node:tls';
import { pick, wholeNumber } from '../../src/sandbox/random.ts';
import { batchOf } from './batch.ts';
import { HOST, signatureFields, toBytes, type Case, type Dice, type HeaderField } from './case.ts';
import { CHUNKED, chunked } from './chunks.ts';
import type { RunRecord } from './rules.ts';
import { partsOf, withFields } from './tricks.ts';

/** Ports: the API's, a worker's health routes', an API's that speaks TLS, and the same where no TLS client speaks. */
export type Doors = { api: number; health: number; secure: number; handshake: number };

/** What is sent, and the run it stores where all of it arrives. */
type Sent = { bytes: Buffer; run: RunRecord | null };

const UPGRADE: HeaderField[] = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
];
const get = (path: string, ...fields: HeaderField[]) =>
  toBytes({ method: 'GET', path, headers: [HOST, ...fields], body: '' });
const CONNECT = toBytes({ method: 'CONNECT', path: 'x:1', headers: [HOST] });
const nothingStored = (bytes: Buffer): Sent => ({ bytes, run: null });

const KINDS: Record<string, (dice: Dice) => Sent> = {
  'a GET': () => nothingStored(get('/readyz')),
  'a signed GET': ({ nowS }) => {
    const path = `/v1/deliveries/d${'A'.repeat(22)}`;
    const signature = signatureFields({ method: 'GET', path, body: null, deviceId: 'hang-up', createdS: nowS });
    return nothingStored(get(path, ...signature));
  },
  'a POST': (dice) => {
    const parts = partsOf(dice);
    return { bytes: withFields(parts), run: parts.run };
  },
  'a POST in chunks': (dice) => {
    const { fields, body, run } = partsOf(dice);
    return { bytes: toBytes({ headers: [...fields, CHUNKED], body: chunked(body) }), run };
  },
  'a POST that asks first': (dice) => {
    const parts = partsOf(dice);
    return { bytes: withFields(parts, ['Expect', '100-continue']), run: parts.run };
  },
  'a batch': (dice) => {
    const { run, body } = partsOf(dice);
    return { bytes: batchOf(dice, `[${body}]`), run };
  },
  'a CONNECT': () => nothingStored(CONNECT),
  'a CONNECT with bytes behind it': () => nothingStored(Buffer.concat([CONNECT, Buffer.alloc(200, 'x')])),
  'a CONNECT behind a request': () => nothingStored(Buffer.concat([get('/readyz'), CONNECT])),
  'an upgrade': () => nothingStored(get('/readyz', ...UPGRADE)),
  'an upgrade to HTTP/2': () =>
    nothingStored(get('/livez', ['Connection', 'Upgrade, HTTP2-Settings'], ['Upgrade', 'h2c'], ['HTTP2-Settings', ''])),
  'a POST that would upgrade': (dice) => {
    const parts = partsOf(dice);
    return { bytes: withFields(parts, ...UPGRADE), run: parts.run };
  },
  'requests in one breath': () => nothingStored(Buffer.concat([get('/livez'), get('/readyz'), get('/metrics')])),
  'a request behind a broken one': () => nothingStored(Buffer.concat([get('/livez'), Buffer.from('GIMME\r\n\r\n')])),
  'no HTTP': () => nothingStored(Buffer.from('GIMME what you have\r\n\r\n')),
};

/** `reset` and `half-close` at once; the others when the service had time to notice what came before. */
const MANNERS = ['reset', 'half-close', 'reset later', 'half-close, then reset'] as const;
type Manner = (typeof MANNERS)[number];

const LATER_MS = 4;
/** Whoever only half-closes waits so long for the service to be done. */
const LINGERS_MS = 50;
/** Where no handshake is answered. */
const GIVE_UP_MS = 5000;
const SENDERS = 16;
/** Over TLS. */
const COARSER = 20;

/** The first `at` bytes are sent. */
export type HangUp = { at: number; manner: Manner; door: keyof Doors };

/** Anything cut anywhere; rarely over TLS, where a handshake costs a hundred times what a connection does. */
export function hangUps(dice: Dice): Case {
  const { random } = dice;
  const kind = pick(random, Object.keys(KINDS) as [string]);
  const sent = sentOf(kind, dice);
  const door = pick(random, ['api', 'api', 'api', 'health', 'health', 'handshake', 'secure'] as const);
  const how: HangUp = { at: wholeNumber(random, 0, sent.bytes.length), manner: pick(random, MANNERS), door };
  return { family: 'hang-up', name: kind, steps: [], hangUp: { ...sent, how } };
}

function sentOf(kind: string, dice: Dice): Sent {
  const make = KINDS[kind];
  if (!make) throw new Error(kind);
  return make(dice);
}

/** Sends and hangs up; what comes back is nobody's business any more. */
export async function hangUp(doors: Doors, bytes: Buffer, { at, manner, door }: HangUp): Promise<void> {
  const tcp = connect({ port: doors[door], host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const closed = new Promise((resolve) => tcp.once('close', resolve));
  tcp.on('error', () => undefined);
  const giveUp = setTimeout(() => tcp.destroy(), GIVE_UP_MS);
  await Promise.race([new Promise((resolve) => tcp.once('connect', resolve)), closed]);
  const over = door === 'secure' ? await shakeHands(tcp, closed) : tcp;
  over.resume();
  over.write(bytes.subarray(0, at));
  const ended = Promise.race([new Promise((resolve) => over.once('end', resolve)), closed, delay(LINGERS_MS)]);
  switch (manner) {
    case 'reset':
      // What is encrypted is sent in the next turn.
      if (over !== tcp) await turn();
      break;
    case 'reset later':
      await delay(LATER_MS);
      break;
    case 'half-close, then reset':
      over.end();
      await delay(LATER_MS);
      break;
    case 'half-close':
      over.end();
      await ended;
      tcp.destroy();
  }
  if (!tcp.destroyed) tcp.resetAndDestroy();
  over.destroy();
  // A socket that was reset under its TLS does not always say that it is closed.
  await Promise.race([closed, delay(LINGERS_MS)]);
  clearTimeout(giveUp);
}

async function shakeHands(tcp: Socket, closed: Promise<unknown>): Promise<Socket> {
  const secure = connectSecurely({ socket: tcp, rejectUnauthorized: false });
  secure.on('error', () => undefined);
  await Promise.race([new Promise((resolve) => secure.once('secureConnect', resolve)), closed]);
  return secure;
}

/** The first bytes of a TLS client. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connectSecurely({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

/**
 * Every kind of request at every door, and the first bytes of TLS, cut at every byte – or at each `step`-th – in every
 * manner.
 * @param onSent hears of what may be stored by it
 * @returns how often somebody hung up
 */
export async function sweep(
  doors: Doors,
  { step, nowS, onSent }: { step: number; nowS: number; onSent: (run: RunRecord) => void },
): Promise<number> {
  const asked: { bytes: Buffer; how: HangUp }[] = [];
  const add = (bytes: Buffer, door: keyof Doors, every: number) => {
    for (const [index, manner] of MANNERS.entries()) {
      // Each manner begins elsewhere, so that a coarse sweep meets more of the bytes.
      const from = Math.floor((index * every) / MANNERS.length);
      for (let at = from; at < bytes.length; at += every) asked.push({ bytes, how: { at, manner, door } });
      asked.push({ bytes, how: { at: bytes.length, manner, door } });
    }
  };
  for (const [number, kind] of Object.keys(KINDS).entries()) {
    const { bytes, run } = sentOf(kind, { random: () => 0.3, id: `sweep-${number}`, nowS });
    if (run) onSent(run);
    add(bytes, 'api', step);
    add(bytes, 'health', step);
    add(bytes, 'secure', step * COARSER);
  }
  const hello = await clientHello();
  for (const door of ['api', 'health', 'handshake'] as const) add(hello, door, step);
  let next = 0;
  const senders = Array.from({ length: SENDERS }, async () => {
    for (let one = asked[next++]; one; one = asked[next++]) await hangUp(doors, one.bytes, one.how);
  });
  await Promise.all(senders);
  return asked.length;
}
