// The state of a Redis on a socket. The kernel decides first: no answer in time does not mean that nothing listens.
import { connect } from 'node:net';

export type Presence =
  | { kind: 'ready' }
  /** Loading its files; with the progress if it says so. */
  | { kind: 'loading'; percent: number | null }
  /** Running a script for so long that it answers nothing else. */
  | { kind: 'busy' }
  /** Something listens but does not answer: it is stopped, or waits for its disk. */
  | { kind: 'silent' }
  /** Nothing listens, according to the kernel. */
  | { kind: 'nobody' };

const ANSWER_WITHIN_MS = 1000;
/** Also if the folder is gone. */
const NOBODY = ['ECONNREFUSED', 'ENOENT', 'ENOTDIR'];

/** Determines the state. */
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

/** The reply to PING is enough, except for LOADING, which is followed by the progress. */
const isUnderstood = (text: string) =>
  text.startsWith('-LOADING') ? /^loading_loaded_perc:.*\n/m.test(text) : text.includes('\n');

/** Asks a Redis to shut down, and waits until it closes the connection. @returns false on timeout */
export async function shutDown(socket: string, withinMs: number): Promise<boolean> {
  const { isClosed } = await exchange(socket, 'SHUTDOWN NOSAVE\r\n', () => false, withinMs);
  return isClosed;
}

type Exchange = { text: string; isClosed: boolean; code: string | null };

/** Sends one command over a new connection and reads until the reply is complete or the other side closes. */
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
