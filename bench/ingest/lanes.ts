// Cheap keep-alive connections: send bytes, receive status and body, one request at a time on each.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type Answer = { status: number; body: Buffer };

export type Lane = {
  send: (request: Buffer, onAnswer: (answer: Answer) => void) => void;
  close: () => void;
};

export async function openLanes(port: number, count: number): Promise<Lane[]> {
  return Promise.all(Array.from({ length: count }, () => openLane(port)));
}

async function openLane(port: number): Promise<Lane> {
  const socket: Socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  let onAnswer: ((answer: Answer) => void) | null = null;
  let chunks: Buffer[] = [];
  let arrived = 0;
  /** The bounds of the body, once the head has arrived. */
  let frame: { status: number; start: number; end: number } | null = null;

  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    arrived += chunk.length;
    frame ??= readHead(chunks.length === 1 ? chunk : Buffer.concat(chunks));
    if (!frame || arrived < frame.end) return;
    const { status, start, end } = frame;
    const body = (chunks.length === 1 ? chunk : Buffer.concat(chunks)).subarray(start, end);
    const tell = onAnswer;
    [onAnswer, chunks, arrived, frame] = [null, [], 0, null];
    tell?.({ status, body });
  });
  const hungUp: Answer = { status: 0, body: Buffer.from('hung up') };
  socket.on('close', () => onAnswer?.(hungUp));
  socket.on('error', () => undefined);
  return {
    send: (request, tell) => {
      onAnswer = tell;
      if (socket.destroyed) tell(hungUp);
      else socket.write(request);
    },
    close: () => socket.destroy(),
  };
}

function readHead(bytes: Buffer): { status: number; start: number; end: number } | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const head = bytes.toString('latin1', 0, headEnd);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without a length: ${head}`);
  return { status: Number(head.slice(9, 12)), start: headEnd + 4, end: headEnd + 4 + Number(length) };
}
