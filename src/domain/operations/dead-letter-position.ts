// A place in the list of dead letters, and the cursor that takes a caller back to it.

/** Behind this delivery, which died then. */
export type Place = { diedAt: number; id: string };

export function toCursor({ diedAt, id }: Place): string {
  return Buffer.from(JSON.stringify([diedAt, id])).toString('base64url');
}

/** The place a cursor stands for; null for one that is none of ours. */
export function parseCursor(cursor: string): Place | null {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (!Array.isArray(place) || place.length !== 2) return null;
    const [diedAt, id] = place as [unknown, unknown];
    if (typeof diedAt !== 'number' || !Number.isFinite(diedAt) || typeof id !== 'string') return null;
    return { diedAt, id };
  } catch {
    return null;
  }
}
