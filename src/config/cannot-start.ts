// What keeps a process from starting and is no defect: something on the machine is missing or taken.

/** Its message is the one line an operator gets. */
export class CannotStart extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CannotStart';
  }
}
