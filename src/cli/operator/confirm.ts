// Asks for confirmation before something irreversible.
import { createInterface } from 'node:readline/promises';
import { EXIT } from '../exit.ts';
import { OperatorError } from './operator.ts';
import { toVisible } from '../../domain/operations/visible-text.ts';

/** Asks on a terminal; scripts must pass --yes. @throws OperatorError unless the answer is yes */
export async function confirm(question: string, yes: true | undefined): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new OperatorError(`${question} Say --yes.`, EXIT.usage);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C or end of input leaves the cursor after the question.
  const noAnswer = () => (process.stderr.write('\n'), '');
  const answer = await terminal.question(`${toVisible(question)} [y/N] `).catch(noAnswer);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new OperatorError('nothing was done', EXIT.ok);
}
