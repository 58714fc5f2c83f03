// Removes device text that Graph repeats in an error, before the reason is stored or logged.

const MASK = '[what the device said]';
/** Shorter words occur in many sentences by chance. */
const LEAST_LENGTH = 4;
const QUOTED = /(['"“‘])([^'"“”‘’]{4,})(['"”’])/g;

/**
 * @param message Graph's message, which may quote what was sent, in full or in part
 * @param said a run's output, error and user; matched case-insensitively
 */
export function withoutRepeated(message: string, said: readonly string[]): string {
  const texts = said.filter((text) => text.length >= LEAST_LENGTH).sort((a, b) => b.length - a.length);
  const whole = texts.reduce((sofar, text) => replaceAllOf(sofar, text), message);
  return whole.replace(QUOTED, (quoted: string, open: string, part: string, close: string) =>
    texts.some((text) => text.toLowerCase().includes(part.toLowerCase())) ? `${open}${MASK}${close}` : quoted,
  );
}

function replaceAllOf(message: string, text: string): string {
  const [haystack, needle] = [message.toLowerCase(), text.toLowerCase()];
  // Lower-casing changed a length, so offsets do not match: falls back to a case-sensitive replacement.
  if (haystack.length !== message.length || needle.length !== text.length) return message.replaceAll(text, MASK);
  let kept = '';
  let from = 0;
  for (let at = haystack.indexOf(needle); at !== -1; at = haystack.indexOf(needle, from)) {
    kept += message.slice(from, at) + MASK;
    from = at + needle.length;
  }
  return kept + message.slice(from);
}
