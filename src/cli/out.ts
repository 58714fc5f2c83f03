// What the CLI says: results on standard output, everything else on standard error.

export const print = (line = ''): void => void process.stdout.write(`${line}\n`);
export const complain = (line: string): void => void process.stderr.write(`${line}\n`);
