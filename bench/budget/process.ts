// A child process of the bench: started with one JSON argument, reports when it is ready, killed at the end.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export type Child = {
  /** Sends a command and resolves with the reply. */
  ask: (word: string) => Promise<unknown>;
  /** Rejects if it exits before it is stopped. */
  failed: Promise<never>;
  stop: () => Promise<void>;
};

/** Starts `<name>.ts` of this directory. @returns the process, and its message when it was ready */
export async function startProcess(
  name: string,
  argument: object,
  environment: Record<string, string>,
): Promise<{ child: Child; ready: unknown }> {
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const started: ChildProcess = fork(file, [JSON.stringify(argument)], { env: { ...process.env, ...environment } });
  let stopping = false;
  const exited = once(started, 'exit');
  const failed = exited.then(([code]) => {
    if (stopping) return new Promise<never>(() => undefined);
    throw new Error(`${name} ended with ${String(code)}`);
  });
  failed.catch(() => undefined);
  const answer = async () => {
    const [message] = (await Promise.race([once(started, 'message'), failed])) as unknown[];
    return message;
  };
  const ready = await answer();
  return {
    ready,
    child: {
      failed,
      ask: (word) => {
        const answered = answer();
        started.send(word);
        return answered;
      },
      stop: async () => {
        stopping = true;
        if (started.exitCode !== null || started.signalCode !== null) return;
        started.kill('SIGKILL');
        await exited;
      },
    },
  };
}

/** In the child: reads its argument; exits if the parent goes away. */
export function readArgument(): unknown {
  process.on('disconnect', () => process.exit());
  return JSON.parse(process.argv[2] ?? '{}');
}

/** In the child: replies to the parent. */
export function say(message: unknown): void {
  process.send?.(message);
}
