// Finds passwords by their position in the arguments of vendor methods and tools.
import { isOption, quoteAt, readBare, readQuoted, skipBlanks, skipSpace, type Range } from './values.ts';

/** Positions of passwords among a method's arguments, from 0; `parts` are positions within one comma-separated text. */
const METHODS: Record<string, { args?: number[]; from?: number; parts?: number[] }> = {
  // Dell, root/dcim/sysman/wmisecurity: SecType, SecHndCount, SecHandle[], NameId, OldPassword, NewPassword
  setnewpassword: { args: [2, 4, 5] },
  // Dell, root/dcim/sysman/biosattributes: SecType, SecHndCount, SecHandle[], AttributeName, AttributeValue
  setattribute: { args: [2] },
  // Dell Command | Monitor, DCIM_BIOSService: …, AttributeName, AttributeValue, AuthorizationToken
  setbiosattributes: { from: 4 },
  // HP, InstrumentedBIOS: Name, Value, Password · Lenovo: a single text "Item,Value,Password,Encoding,Language"
  setbiossetting: { args: [2], parts: [2] },
  setbiossettings: { args: [2], parts: [2] },
  // Lenovo: "Type,Old,New,Encoding,Language", "Password,Encoding,Language"
  setbiospassword: { parts: [1, 2] },
  savebiossettings: { parts: [0] },
  discardbiossettings: { parts: [0] },
  loaddefaultsettings: { parts: [0] },
  // .NET and PowerShell
  pscredential: { from: 1 },
  networkcredential: { args: [1] },
  x509certificate2: { args: [1] },
  // PowerShell turns a password into bytes for Dell's methods
  getbytes: { args: [0] },
  // Microsoft Surface, SEMM: BuildAndSignSignerProvisioningPackage(key, password, newKey, newPassword, …) and similar
  buildandsign: { args: [1, 3] },
};

/** Every call contains one of these; texts without any can be skipped. */
export const CALL_SIGN = [...Object.keys(METHODS), 'securestring', 'appendchar'].join('|');

const METHOD = new RegExp(
  String.raw`(?:\b|_)(${Object.keys(METHODS).join('|')})(?:(?<=buildandsign)\w{1,60})?(?:\]?::new)?(?![\p{L}\p{N}_])`,
  'giu',
);

/** What separates a method's name from its argument if it is not called with brackets. */
const INDIRECT =
  /\\*["']?[ \t]*(?:[-–]\w+[ \t]*|@?\([ \t]*|@\{[ \t]*\w*[ \t]*=?[ \t]*|\w+[ \t]*=[ \t]*|call[ \t]+\w+[ \t]*|[ \t])*/iy;

const LONGEST_CALL = 2000;

/** The passwords found in calls. */
export function findCallSecrets(text: string): Range[] {
  const ranges: Range[] = [];
  let readTo = 0;
  for (const { index, 0: whole, 1: name = '' } of text.matchAll(METHOD)) {
    if (index < readTo) continue;
    const method = METHODS[name.toLowerCase()] ?? {};
    const at = index + whole.length;
    const opened = skipBlanks(text, at);
    const called = text[opened] === '(' ? readArguments(text, opened + 1) : readIndirect(text, at);
    readTo = Math.max(readTo, at);
    if (called.length === 0) continue;
    ranges.push(...pickArguments(text, called, method));
    readTo = called.at(-1)?.outer[1] ?? at;
  }
  return ranges;
}

type Argument = { outer: Range; inner: Range };

/** The arguments in brackets, split at commas; a nested list is a single argument. */
function readArguments(text: string, from: number): Argument[] {
  const found: Argument[] = [];
  const limit = Math.min(text.length, from + LONGEST_CALL);
  let at = skipSpace(text, from);
  let start = at;
  let last: Argument | null = null;
  let depth = 0;
  const push = (end: number) => {
    found.push(last ?? { outer: [start, trimmed(text, start, end)], inner: [start, trimmed(text, start, end)] });
    last = null;
  };
  while (at < limit) {
    const char = text[at] ?? '';
    const quoted = readQuoted(text, at);
    if (quoted) {
      if (depth === 0) last = quoted;
      at = quoted.outer[1];
    } else if (char === ')' && depth === 0) {
      push(at);
      return found;
    } else if (char === ',' && depth === 0) {
      push(at);
      at = skipSpace(text, at + 1);
      start = at;
    } else {
      if (/[([{]/.test(char)) depth += 1;
      if (/[)\]}]/.test(char)) depth -= 1;
      if (
        (char === '\n' || char === '\r') &&
        !/[,(`][ \t]*$/.test(text.slice(Math.max(from, at - 8), at)) &&
        depth === 0
      )
        break;
      at += 1;
    }
  }
  push(at);
  return found;
}

function trimmed(text: string, start: number, end: number): number {
  let to = end;
  while (to > start && /\s/.test(text[to - 1] ?? '')) to -= 1;
  return to;
}

/** `-MethodName SaveBiosSettings -Arguments @{ parameter = "…" }`, `PSCredential "user", "x"` */
function readIndirect(text: string, at: number): Argument[] {
  INDIRECT.lastIndex = at;
  let here = at + (INDIRECT.exec(text)?.[0].length ?? 0);
  const found: Argument[] = [];
  while (found.length < 6) {
    const quoted = readQuoted(text, here);
    if (!quoted) break;
    found.push(quoted);
    const next = skipBlanks(text, quoted.outer[1]);
    if (text[next] !== ',') break;
    here = skipSpace(text, next + 1);
  }
  return found;
}

function pickArguments(text: string, args: Argument[], { args: at, from, parts }: (typeof METHODS)[string]): Range[] {
  const [first] = args;
  if (parts && first && args.length === 1) return pickParts(text, first.inner, parts);
  return args
    .filter((_, index) => at?.includes(index) === true || (from !== undefined && index >= from))
    .map(({ outer }) => outer)
    .filter(([start, end]) => end > start && !HARMLESS.test(text.slice(start, end)));
}

/** Arguments that are no passwords; a command in brackets is handled by its own rules. */
const HARMLESS = /^(?:\$\w+|null|0|""|''|\(.*)$/i;

/** Selected parts of a comma-separated text; a setting without a password has fewer parts. */
function pickParts(text: string, [start, end]: Range, wanted: number[]): Range[] {
  const ranges: Range[] = [];
  let from = start;
  for (let index = 0; from <= end; index += 1) {
    const comma = text.indexOf(',', from);
    const to = comma < 0 || comma > end ? end : comma;
    const until = to === end && text[to - 1] === ';' ? to - 1 : to;
    if (wanted.includes(index) && (until > from || to < end)) ranges.push([from, until]);
    from = to + 1;
  }
  return ranges;
}

/** `ConvertTo-SecureString "x" -AsPlainText`, `"x", "y" | ConvertTo-SecureString …` */
export function findSecureStrings(text: string): Range[] {
  const ranges: Range[] = [];
  for (const { index, 0: name } of text.matchAll(/ConvertTo-SecureString/gi)) {
    ranges.push(...readPiped(text, index), ...readGiven(text, index + name.length));
  }
  for (const { index, 1: value = '' } of text.matchAll(CHARACTERS)) ranges.push([index, index + value.length]);
  return ranges;
}

/** Added to a secure string character by character. */
const CHARACTERS = /("[^"\r\n]{1,256}"|'[^'\r\n]{1,256}')(?=(?:\)?\.ToCharArray\(\))?[^"'\r\n]{0,100}AppendChar)/gi;
const PIPED = /(?:("[^"\r\n]{1,256}"|'[^'\r\n]{1,256}')|([^\s"'|;(),]{1,256}))\)*[ \t]*([|,])\s*$/;
const LONGEST_PIPED = 300;

/** The value before the pipe, and values joined to it by commas. */
function readPiped(text: string, at: number): Range[] {
  const ranges: Range[] = [];
  for (let here = at; ranges.length < 4;) {
    const from = Math.max(0, here - LONGEST_PIPED);
    const before = text.slice(from, here).trimEnd();
    if (!before.endsWith(ranges.length === 0 ? '|' : ',')) break;
    const found = PIPED.exec(before);
    const value = found?.[1] ?? found?.[2];
    if (!found || value === undefined) break;
    here = from + found.index;
    ranges.push([here, here + value.length]);
  }
  return ranges;
}

const SWITCH = /[-–—][a-z]+(?::|(?=\s))/iy;
const GROUPING = /[$@]?\((?=[\s($@]*["'“])/y;

/** The first value after the name, skipping switches. */
function readGiven(text: string, from: number): Range[] {
  let here = skipSpace(text, from);
  if (here === from && quoteAt(text, here) === '') return [];
  for (let words = 0; words < 6 && here < text.length; words += 1) {
    SWITCH.lastIndex = here;
    const length = SWITCH.exec(text)?.[0].length ?? 0;
    if (length === 0) break;
    here = skipSpace(text, here + length);
  }
  for (GROUPING.lastIndex = here; GROUPING.exec(text); GROUPING.lastIndex = here)
    here = skipSpace(text, GROUPING.lastIndex);
  if (isOption(text, here)) return [];
  const quoted = readQuoted(text, here)?.outer;
  const range = quoted ?? (/[()|;,{}:]/.test(text[here] ?? '(') ? null : readBare(text, here));
  return range ? [range] : [];
}
