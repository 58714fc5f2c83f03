// What a Redis on a socket is doing, told apart by the kernel first: no answer in time is not nobody there.
import { connect } from 'node:net';

export type Presence =
  | { kind: 'ready' }
  /** Reads its files; how far it is, where it says so. */
  | { kind: 'loading'; percent: number | null }
  /** Runs a script for so long that it answers nothing else. */
  | { kind: 'busy' }
  /** Somebody listens and says nothing: stopped, or waiting for its disk. */
  | { kind: 'silent' }
  /** Nobody listens: the kernel says so. */
  | { kind: 'nobody' };

const ANSWER_WITHIN_MS = 1000;
/** Also where the folder is gone. */
const NOBODY = ['ECONNREFUSED', 'ENOENT', 'ENOTDIR'];

/** Asks who is there. */
export async function probe(socket: string): Promise<Presence> {
  const { text, code } = await exchange(socket, 'PING\r\nINFO persistence\r\n', isUnderstood);
  if (code !== null && NOBODY.includes(code)) return { kind: 'nobody' };
  if (text.startsWith('-LOADING')) return { kind: 'loading', percent: readPercent(text) };
  if (text.startsWith('-BUSY')) return { kind: 'busy' };
  return { kind: text === '' ? 'silent' : 'ready' };
}

const readPercent = (text: string): number | null => {
  const percent = /^loading_loaded_perc:([\d.]+)/m.exec(text)?.[1];
  return percent === undefined ? null : Math.floor(Number(percent));
};

/** The answer to PING is enough, unless it is LOADING: then how far it is comes next. */
const isUnderstood = (text: string) =>
  text.startsWith('-LOADING') ? /^loading_loaded_perc:.*\n/m.test(text) : text.includes('\n');

/** Asks a Redis to end, and waits until its connections are closed. @returns false where that takes too long */
export async function shutDown(socket: string, withinMs: number): Promise<boolean> {
  const { isClosed } = await exchange(socket, 'SHUTDOWN NOSAVE\r\n', () => false, withinMs);
  return isClosed;
}

type Exchange = { text: string; isClosed: boolean; code: string | null };

/** Sends one command over a connection of its own, until the answer is complete or the other side closes. */
function exchange(
  socket: string,
  command: string,
  isComplete: (text: string) => boolean,
  withinMs = ANSWER_WITHIN_MS,
): Promise<Exchange> {
  const { promise, resolve } = Promise.withResolvers<Exchange>();
  const connection = connect(socket);
  let text = '';
  let code: string | null = null;
  const settle = (isClosed: boolean) => {
    clearTimeout(timer);
    connection.destroy();
    resolve({ text, isClosed, code });
  };
  const timer = setTimeout(() => settle(false), withinMs);
  connection.setEncoding('utf8');
  connection.on('connect', () => connection.write(command));
  connection.on('data', (read: string) => {
    text += read;
    if (isComplete(text)) settle(false);
  });
  connection.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? null));
  connection.on('close', () => settle(true));
  return promise;
}
