// A least-recently-used cache of fixed size.

export type Recent<V> = {
  get: (key: string) => V | undefined;
  set: (key: string, value: V) => void;
  clear: () => void;
};

export function createRecent<V>(most: number): Recent<V> {
  const values = new Map<string, V>();
  return {
    get: (key) => {
      const value = values.get(key);
      if (value !== undefined) {
        values.delete(key);
        values.set(key, value);
      }
      return value;
    },
    set: (key, value) => {
      values.delete(key);
      values.set(key, value);
      const [oldest] = values.keys();
      if (values.size > most && oldest !== undefined) values.delete(oldest);
    },
    clear: () => values.clear(),
  };
}
