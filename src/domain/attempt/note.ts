// Notes on a delivery: informative only, without effect on its processing.

/** `completed-ahead`: takes no part in superseding · `record-replaced`: Graph has since given the record's id to another. */
export const NOTE_CODES = ['completed-ahead', 'record-replaced'] as const;

/** `by`: the other delivery, if there is one. Instants are milliseconds since 1970. */
export type Note = { code: (typeof NOTE_CODES)[number]; at: number; by: string | null };

/** Adds a note unless there already is one with the same code. */
export function withNote<T extends { notes: Note[] }>(delivery: T, note: Note): T {
  return delivery.notes.some(({ code }) => code === note.code)
    ? delivery
    : { ...delivery, notes: [...delivery.notes, note] };
}

/** Describes a note for operators. */
export function describeNote({ code, by }: Note): string {
  switch (code) {
    case 'completed-ahead':
      return 'completedAt is more than a day ahead of when it was accepted: the device’s clock is wrong, so it supersedes nothing and nothing supersedes it';
    case 'record-replaced':
      return `its record in Graph was replaced: Graph gave the same id to delivery ${by ?? 'of another run'} later, as it does where it keeps one row per device`;
  }
}
