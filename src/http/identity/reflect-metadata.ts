// The four Reflect metadata functions the certificate library's decorators ask for; no package among ours brings them.

type Metadata = Map<unknown, unknown>;

const metadataOf = new WeakMap<object, Metadata>();

function define(key: unknown, value: unknown, target: object): void {
  const metadata = metadataOf.get(target) ?? new Map<unknown, unknown>();
  metadataOf.set(target, metadata.set(key, value));
}

function getOwn(key: unknown, target: object): unknown {
  return metadataOf.get(target)?.get(key);
}

function get(key: unknown, target: object): unknown {
  for (let link: object | null = target; link !== null; link = Object.getPrototypeOf(link) as object | null) {
    if (metadataOf.get(link)?.has(key) === true) return getOwn(key, link);
  }
  return undefined;
}

if (!('getMetadata' in Reflect)) {
  Object.assign(Reflect, {
    defineMetadata: define,
    getMetadata: get,
    getOwnMetadata: getOwn,
    metadata: (key: unknown, value: unknown) => (target: object) => define(key, value, target),
  });
}
