// Tells quickly that a text has none of many signs, so that it need not be searched for what they are signs of.

/** Plain words, which mean the same as a pattern. */
const WORDS = /^[\w :|-]+$/;

/**
 * Creates a test for whether a text has any of these signs, in upper or lower case. Plain words are searched for together, and
 * patterns by themselves: one pattern for all takes more than twice as long.
 * @param signs sources of patterns, in lower case, as ignoring case would take twice as long again
 */
export function createSignTest(signs: readonly string[]): (text: string) => boolean {
  const words = signs.filter((sign) => WORDS.test(sign)).flatMap((sign) => sign.split('|'));
  const shortest = words.filter((word) => !words.some((other) => other !== word && word.includes(other)));
  const patterns = signs.filter((sign) => !WORDS.test(sign));
  const tests = [shortest, patterns]
    .filter((sources) => sources.length > 0)
    .map((sources) => new RegExp([...new Set(sources)].join('|')));
  return (text) => {
    const lowerCase = text.toLowerCase();
    return tests.some((test) => test.test(lowerCase));
  };
}
