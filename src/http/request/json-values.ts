// Counts the values of a JSON text before it is parsed: parsed, they take up to 25 times its size.

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE, LINE_FEED] = Buffer.from('"\\,[{\n');

/** Whether there are more than `most` commas, arrays and objects outside strings. A string ends with its line at the latest. */
export function hasMoreValues(json: Uint8Array, most: number): boolean {
  if (json.length <= most) return false;
  let count = 0;
  let isInText = false;
  for (let at = 0; at < json.length && count <= most; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) isInText = !isInText;
    else if (byte === LINE_FEED) isInText = false;
    else if (!isInText) count += byte === COMMA || byte === BRACKET || byte === BRACE ? 1 : 0;
    else if (byte === BACKSLASH && json[at + 1] !== LINE_FEED) at += 1;
  }
  return count > most;
}
