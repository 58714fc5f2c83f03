// Rate limit of one device: a number of submissions per fixed window.

export const WINDOW_MS = 60_000;

/**
 * The start of the window that contains an instant; the same in every process. Windows are offset per device, so that
 * devices waiting for their next window do not all return at once.
 */
export function startOfWindow(deviceId: string, now: number): number {
  return now - ((now + hash(deviceId)) % WINDOW_MS);
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let mixed = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    mixed = Math.imul(mixed ^ text.charCodeAt(index), 0x01000193);
  }
  return mixed >>> 0;
}
