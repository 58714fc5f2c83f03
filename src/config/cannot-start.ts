// A problem of the environment that keeps a process from starting; not a bug.

/** Its message is the one line an operator gets. */
export class CannotStart extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CannotStart';
  }
}
