// Bodies and types that are no batch, and swarms: far more than any batch has, in few bytes.

/** Refused as a whole: the body, the status and the code. */
export const NO_BATCH: readonly [string | Buffer, number, string][] = [
  ['{}', 422, 'invalid-request'],
  ['null', 422, 'invalid-request'],
  ['"text"', 422, 'invalid-request'],
  ['-0', 422, 'invalid-request'],
  ['{"0":{},"length":1}', 422, 'invalid-request'],
  ['', 400, 'invalid-json'],
  [' \n', 400, 'invalid-json'],
  ['[', 400, 'invalid-json'],
  ['[]]', 400, 'invalid-json'],
  ['[{},]', 400, 'invalid-json'],
  ['[,]', 400, 'invalid-json'],
  ['[NaN]', 400, 'invalid-json'],
  ['{}\n{}', 400, 'invalid-json'],
  ['[]\u0000', 400, 'invalid-json'],
  ['\u00a0[]', 400, 'invalid-json'],
  ['\ufeff\ufeff[]', 400, 'invalid-json'],
  ['\u001e[]', 400, 'invalid-json'],
  [Buffer.from('[{}]', 'utf16le'), 400, 'invalid-json'],
  [Buffer.from('["é"]', 'latin1'), 400, 'invalid-json'],
  [Buffer.from([0x5b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x5d]), 400, 'invalid-json'],
];
export const NO_TYPES = [
  'text/plain',
  'application/jsonl',
  'application/json-seq',
  'application/x-ndjson; charset=utf-16',
  'application/json; charset=latin1',
  'application/x-ndjson, application/json',
  'multipart/mixed; boundary=x',
  '',
] as const;
/** Far more values than any batch has, in few bytes. */
export const SWARMS: Record<string, readonly [string, ...string[]]> = {
  array: [
    `[${'{},'.repeat(400_000)}{}]`,
    `[${'[],'.repeat(400_000)}[]]`,
    `[[${'[],'.repeat(400_000)}[]]]`,
    '['.repeat(1_900_000),
    '{"a":'.repeat(300_000),
    `[{${'"":0,'.repeat(300_000)}"":0}]`,
    `["\\"",${'{},'.repeat(400_000)}{}]`,
  ],
  lines: [`[${'{},'.repeat(400_000)}{}]`, `"\\\n[${'{},'.repeat(400_000)}{}]`, '[[],[],[],[]]\n'.repeat(120_000)],
};
