// Text that others wrote, made safe to show: what a terminal would obey, and what nobody would see, is spelt out.

/**
 * Controls (ESC, C1), formats (bidirectional controls, zero width, tags), lone surrogates, line and paragraph separators,
 * and fillers that draw nothing. The selectors that only choose how an emoji looks stay.
 */
const UNSEEN = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\uFE00-\uFE0F]]/gv;

const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** One line, whatever the text holds. The escapes are those of JSON: JSON stays JSON, with the same value. */
export function toVisible(text: string): string {
  return text.replace(UNSEEN, (character) => SHORT[character] ?? character.split('').map(escapeUnit).join(''));
}

const escapeUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
