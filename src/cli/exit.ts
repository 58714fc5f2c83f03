// The command's exit codes, for scripts to act on; those from 64 to 78 are from sysexits.h.

export const EXIT = {
  ok: 0,
  /** A check of the doctor, or the demo, failed. */
  failed: 1,
  /** Accepted, but not delivered in time, or dead. */
  undelivered: 3,
  /** Works, but needs an operator: a hold, a weakness, a warning. */
  degraded: 4,
  /** EX_USAGE */
  usage: 64,
  /** EX_DATAERR: refused, and will be refused again. */
  refused: 65,
  /** EX_UNAVAILABLE: something other than the bridge answers at the address. */
  unavailable: 69,
  /** EX_SOFTWARE: a bug. */
  defect: 70,
  /** EX_CANTCREAT: the spool cannot be written. */
  spool: 73,
  /** EX_IOERR: the output cannot be written. */
  output: 74,
  /** EX_TEMPFAIL: may work later. */
  later: 75,
  /** EX_CONFIG: the environment is not usable. */
  config: 78,
  /** The shell's code for a program ended by SIGPIPE: the output is no longer read. */
  unread: 141,
} as const;
