// Reads one file out of a zip archive: Node has no unzip, and a machine need not have one either.
import { inflateRawSync } from 'node:zlib';

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const DEFLATED = 8;

/**
 * @param {Buffer} archive of less than 4 GiB, without encryption
 * @param {string} name as the archive's directory has it
 * @returns {Buffer} the file's bytes
 * @throws {Error} if the archive does not have it whole
 */
export function unzip(archive, name) {
  const end = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || archive.readUInt32LE(end) !== END) throw new Error('this is no zip archive');
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    if (archive.readUInt32LE(at) !== ENTRY) throw new Error('the directory of the zip archive is damaged');
    const nameLength = archive.readUInt16LE(at + 28);
    if (archive.toString('utf8', at + 46, at + 46 + nameLength) === name) return readEntry(archive, at);
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`the zip archive has no ${name}`);
}

/**
 * @param {Buffer} archive
 * @param {number} at where the file's entry in the directory begins
 */
function readEntry(archive, at) {
  const length = archive.readUInt32LE(at + 20);
  const header = archive.readUInt32LE(at + 42);
  const start = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
  const stored = archive.subarray(start, start + length);
  return archive.readUInt16LE(at + 10) === DEFLATED ? inflateRawSync(stored) : stored;
}
