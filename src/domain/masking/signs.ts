// A fast test for whether a text can contain a secret at all: every form of one has some word or pattern, and most texts have none.

/** Words and lists of words, without characters that mean something else in a pattern. */
const WORDS = /^[\w :|-]+$/;

/**
 * Creates a test for whether a text contains any of these signs, whatever the case. Words are searched for together and patterns
 * by themselves: one pattern for all of them takes twice as long.
 * @param signs sources of regular expressions, in lower case: the text is lowered, as ignoring case takes twice as long
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
