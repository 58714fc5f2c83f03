// The set-up's messages, and the error that ends it.

/** @param {string} line */
export const say = (line) => process.stderr.write(`setup: ${line}\n`);

/** The set-up cannot go on; the message is the one line that says what a person has to do. */
export class Impossible extends Error {
  /**
   * @param {string} message
   * @param {number} exitCode from sysexits.h; 69 is "something this needs is not available"
   */
  constructor(message, exitCode = 69) {
    super(message);
    this.exitCode = exitCode;
  }
}
