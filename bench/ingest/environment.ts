// The settings each candidate reads from its environment.

export function listenAsTold(): [port: number, host: string] {
  return [Number(process.env['PORT']), process.env['HOST'] ?? '127.0.0.1'];
}

/** The Unix socket in REDIS_URL. */
export function redisPath(): string {
  return (process.env['REDIS_URL'] ?? '').replace(/^unix:/, '');
}

export function groupKey(): Buffer {
  return Buffer.from(process.env['DEVICE_GROUP_KEYS'] ?? '', 'base64');
}
