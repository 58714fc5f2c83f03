// Reads a delivery's stored data from Redis without the product's code.
import type { Redis } from 'ioredis';

/** The parts of a record; null if there is none. */
export async function readRecord(client: Redis, deliveryId: string) {
  const record = await client.get(`runstate:{default}:${deliveryId}`);
  if (record === null) return null;
  const [header = '', life = '', run = ''] = record.split('\n');
  const [rev, letter, acceptedAt, rank] = header.split(' ');
  return {
    rev,
    letter,
    acceptedAt: Number(acceptedAt),
    rank: Number(rank),
    life: life === '' ? {} : (JSON.parse(life) as Record<string, unknown>),
    run: run === '' ? null : (JSON.parse(run) as Record<string, unknown>),
  };
}
