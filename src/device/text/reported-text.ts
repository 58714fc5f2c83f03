// What a tool printed → the text that is reported: UTF-8 without control characters or passwords, its middle left out if it is long.
import { maskBiosPasswords } from '../../domain/masking/bios-password.ts';
import { decode } from './decode.ts';

/** Of `output` and of `error`: as JSON 2.5 times that, twice, is less than the 256 KiB the bridge takes. */
const MAX_TEXT_BYTES = 49_152;
/** Masking takes time; what will be left out need not be read. */
const MAX_MASKED_BYTES = 1_048_576;

/** A byte order mark inside a string, and what no text editor shows but tab and line ends. Colours lose their escape character. */
// eslint-disable-next-line no-control-regex -- these are what is left out
const LEFT_OUT = /^\ufeff|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;
const NOT_DECODED = /\ufffd+/g;

/** Passwords are masked first: control characters and cuts could hide what announces them. */
export function toReportedText(printed: string | Uint8Array, codePage?: number): string {
  const text = typeof printed === 'string' ? printed.toWellFormed() : decode(printed, codePage);
  const outer = cutMiddle(Buffer.from(text), MAX_MASKED_BYTES);
  const clean = outer.parts.map((part) =>
    maskBiosPasswords(part).replaceAll(LEFT_OUT, '').replaceAll(NOT_DECODED, '\ufffd'),
  );
  const inner = cutMiddle(Buffer.from(clean.join('')), MAX_TEXT_BYTES);
  // Masking may have made short what had to be cut.
  const parts = clean.length > inner.parts.length ? clean : inner.parts;
  return parts.join(`\n[... ${outer.leftOutBytes + inner.leftOutBytes} bytes left out ...]\n`);
}

type Cut = { parts: string[]; leftOutBytes: number };

/** The whole, or head and tail of half the limit each; characters that the cuts go through are left out too. */
function cutMiddle(bytes: Buffer, limit: number): Cut {
  if (bytes.length <= limit) return { parts: [bytes.toString()], leftOutBytes: 0 };
  const half = limit / 2;
  const decoder = new TextDecoder();
  // A decoder that expects more holds back half a character.
  const head = decoder.decode(bytes.subarray(0, half), { stream: true });
  const begins = bytes.subarray(-half).findIndex((byte) => (byte & 0xc0) !== 0x80);
  return { parts: [head, bytes.subarray(bytes.length - half + begins).toString()], leftOutBytes: bytes.length - limit };
}
