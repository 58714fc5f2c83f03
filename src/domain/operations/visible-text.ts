// Makes text from outside safe to display: escapes control characters and invisible characters.

/**
 * Control characters (ESC, C1), format characters (bidirectional controls, zero width, tags), lone surrogates, line and
 * paragraph separators, and invisible fillers. Variation selectors that only choose an emoji's style are kept.
 */
const UNSEEN = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\uFE00-\uFE0F]]/gv;

const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Always returns a single line. Uses JSON's escapes, so JSON stays JSON with the same value. */
export function toVisible(text: string): string {
  return text.replace(UNSEEN, (character) => SHORT[character] ?? character.split('').map(escapeUnit).join(''));
}

const escapeUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
