// Text from outside as the page shows it: characters that reverse or hide text are spelt out.

const UNSEEN = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\uFE00-\uFE0F]]/gv;
/** @type {Record<string, string>} */
const SHORT = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * The same as on a terminal: `src/domain/operations/visible-text.ts`.
 * @param {string} text
 */
export const toVisible = (text) =>
  text.replace(UNSEEN, (character) => SHORT[character] ?? character.split('').map(escapeUnit).join(''));

/** @param {string} unit */
const escapeUnit = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
