// A raw connection to the API: bytes out, answers back one by one, as HTTP frames them and no client would.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type RawAnswer = { status: number; headers: Record<string, string>; body: Buffer };

export type Connection = {
  write: (bytes: Buffer) => void;
  /** The next answer; null where the other side hung up instead. @throws Error where nothing comes, or no HTTP */
  read: (isHead: boolean) => Promise<RawAnswer | null>;
  /** Hangs up on our side only. */
  end: () => void;
  isOpen: () => boolean;
  destroy: () => void;
};

const ANSWER_WITHIN_MS = 40_000;
const NO_BODY = [204, 304];

export async function openConnection(port: number): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  let received: Buffer = Buffer.alloc(0);
  let isOver = false;
  let wake: () => void = () => undefined;
  const over = () => {
    isOver = true;
    wake();
  };
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    wake();
  });
  socket.on('error', over).on('end', over).on('close', over);

  return {
    write: (bytes) => void socket.write(bytes),
    read: async (isHead) => {
      const giveUpAt = performance.now() + ANSWER_WITHIN_MS;
      for (;;) {
        const parsed = parseAnswer(received, isHead);
        if (parsed) {
          received = received.subarray(parsed.length);
          if (parsed.answer.status >= 200) return parsed.answer;
          continue;
        }
        if (isOver) {
          if (received.length > 0) throw new Error(`half an answer: ${received.toString('latin1').slice(0, 200)}`);
          return null;
        }
        await more(socket, giveUpAt, (resolve) => void (wake = resolve));
      }
    },
    end: () => void socket.end(),
    isOpen: () => !isOver && socket.writable,
    destroy: () => void socket.destroy(),
  };
}

async function more(socket: Socket, giveUpAt: number, listen: (resolve: () => void) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    reject(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`));
    socket.destroy();
  }, giveUpAt - performance.now());
  listen(() => resolve(undefined));
  await promise.finally(() => clearTimeout(timer));
}

/** The first answer of these bytes and how long it is; null where it is not whole yet. @throws Error where it is no HTTP */
function parseAnswer(bytes: Buffer, isHead: boolean): { answer: RawAnswer; length: number } | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const [statusLine = '', ...fields] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`no status line: ${statusLine.slice(0, 200)}`);
  const headers = Object.fromEntries(
    fields.map((field) => {
      const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t -~]*)$/.exec(field) ?? [];
      if (name === '') throw new Error(`no header field: ${field.slice(0, 200)}`);
      return [name.toLowerCase(), value];
    }),
  );
  const start = headEnd + 4;
  if (isHead || status < 200 || NO_BODY.includes(status)) {
    return { answer: { status, headers, body: Buffer.alloc(0) }, length: start };
  }
  const length = Number(headers['content-length'] ?? Number.NaN);
  if (Number.isNaN(length)) throw new Error(`an answer without a length: ${statusLine}`);
  if (bytes.length < start + length) return null;
  return { answer: { status, headers, body: bytes.subarray(start, start + length) }, length: start + length };
}
