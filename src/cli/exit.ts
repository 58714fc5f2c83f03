// Exit codes that scripts can branch on, from sysexits.h where it has one.

export const EXIT = {
  ok: 0,
  failed: 1,
  /** Accepted, but not delivered in time, or dead. */
  undelivered: 3,
  /** It works, but something wants an operator: a hold, a weakness, a warning. */
  degraded: 4,
  /** EX_USAGE */
  usage: 64,
  /** EX_DATAERR: refused, and will be again. */
  refused: 65,
  /** EX_UNAVAILABLE: something answers at the address, and it is not the bridge. */
  unavailable: 69,
  /** EX_SOFTWARE: a bug. */
  defect: 70,
  /** EX_IOERR: the output cannot be written. */
  output: 74,
  /** EX_TEMPFAIL: the same may work later. */
  later: 75,
  /** EX_CONFIG: the environment is not usable. */
  config: 78,
  /** What a shell says of a tool that SIGPIPE ended: nobody reads the output any more. */
  unread: 141,
} as const;
