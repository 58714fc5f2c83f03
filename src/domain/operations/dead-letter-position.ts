// A position in the list of dead letters, and the cursor that encodes it for pagination.

/** Directly after this delivery, which died at `diedAt`. */
export type DeadLetterPosition = { diedAt: number; id: string };

export function toCursor({ diedAt, id }: DeadLetterPosition): string {
  return Buffer.from(JSON.stringify([diedAt, id])).toString('base64url');
}

/** The position a cursor encodes; null if we did not issue it. */
export function parseCursor(cursor: string): DeadLetterPosition | null {
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (!Array.isArray(position) || position.length !== 2) return null;
    const [diedAt, id] = position as [unknown, unknown];
    if (typeof diedAt !== 'number' || !Number.isFinite(diedAt) || typeof id !== 'string') return null;
    return { diedAt, id };
  } catch {
    return null;
  }
}
