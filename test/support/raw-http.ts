// HTTP below the level of any client: arbitrary bytes over a socket, and the responses read back.
import { once } from 'node:events';
import { request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Answer } from './answer.ts';

/** A connection that stays open on our side, even if the other side closes. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket.on('error', () => undefined);
}

/** Reads until the other side ends the connection. */
export async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => void (text += chunk));
  if (!socket.readableEnded && !socket.destroyed) {
    await Promise.race([once(socket, 'end'), once(socket, 'close')]);
  }
  return text;
}

/** Sends bytes on a new connection and reads the single response. */
export async function exchange(port: number, bytes: string | Buffer): Promise<Answer> {
  const socket = await openSocket(port);
  socket.write(bytes);
  const answer = parseAnswer(await readAll(socket));
  socket.destroy();
  return answer;
}

/** Splits a response with a Content-Length into its parts. */
export function parseAnswer(text: string): Answer {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [statusLine = '', ...fields] = head.split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => [
      field.slice(0, field.indexOf(':')).toLowerCase(),
      field.slice(field.indexOf(':') + 1).trim(),
    ]),
  );
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    body: body === '' ? null : (JSON.parse(body) as unknown),
  };
}

type RawRequest = {
  port: number;
  method: string;
  path: string;
  headers?: OutgoingHttpHeaders;
  body?: Buffer | string | null;
  localAddress?: string;
};

/** Sends a request with exactly these header fields and bytes; an array becomes several fields of one name. */
export async function send({
  port,
  method,
  path,
  headers = {},
  body = null,
  localAddress = '127.0.0.1',
}: RawRequest): Promise<Answer> {
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers, localAddress, agent: false });
  outgoing.end(body ?? undefined);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    body: text === '' ? null : (JSON.parse(text) as unknown),
  };
}
