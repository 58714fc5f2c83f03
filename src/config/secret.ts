// A secret that is revealed only on request, never by logging or JSON.

/** Logs, JSON and inspection print `[secret]`. */
export type Secret = { reveal: () => string; toString: () => '[secret]'; toJSON: () => '[secret]' };

export function toSecret(value: string): Secret {
  const secret = { reveal: () => value, toString: () => '[secret]' as const, toJSON: () => '[secret]' as const };
  return Object.defineProperty(secret, Symbol.for('nodejs.util.inspect.custom'), { value: secret.toString });
}
