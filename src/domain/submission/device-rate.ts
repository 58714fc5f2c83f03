// How fast one device may submit: a number of submissions in each of its windows.

export const WINDOW_MS = 60_000;

/**
 * When the window began that an instant lies in. Every process finds the same one; each device's begin at other
 * instants, so that those who wait for the next window do not all come at once.
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
