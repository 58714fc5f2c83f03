// The parent's side of the load generator: one process for all rounds, so that requests can be reused.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Failed, Order, Sent } from './load.ts';

export type Load = {
  prepare: (order: Omit<Extract<Order, { kind: 'prepare' }>, 'kind'>) => Promise<void>;
  send: (order: Omit<Extract<Order, { kind: 'send' }>, 'kind'>) => Promise<Sent>;
  close: () => void;
};

export function startLoad(): Load {
  const child = fork(fileURLToPath(new URL('load.ts', import.meta.url)));
  const ended = once(child, 'exit').then((): never => {
    throw new Error('the load generator ended');
  });
  ended.catch(() => undefined);
  const ask = async (order: Order): Promise<Sent | 'ready'> => {
    const answered = once(child, 'message') as Promise<[Sent | Failed | 'ready']>;
    child.send(order);
    const [answer] = await Promise.race([answered, ended]);
    if (typeof answer === 'object' && 'failure' in answer) throw new Error(answer.failure);
    return answer;
  };
  return {
    prepare: async (order) => {
      await ask({ kind: 'prepare', ...order });
    },
    send: async (order) => (await ask({ kind: 'send', ...order })) as Sent,
    close: () => void child.kill('SIGKILL'),
  };
}
