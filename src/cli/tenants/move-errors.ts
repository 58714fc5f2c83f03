// How a run of `move` that could not go on ends: with what is said, and whether the same command may go on later.
import { NotConfirmed } from '../../queue/redis/move/confirm-replicas.ts';
import { NoPrimary } from '../../queue/redis/move/tenant-server.ts';
import { AnotherRun, TargetSetBack } from '../../queue/redis/move/writer.ts';
import { isRefused } from '../../queue/redis/redis-errors.ts';
import { EXIT } from '../exit.ts';
import { OperatorError } from '../operator/operator.ts';

export const RUN_AGAIN = 'Nothing is lost: the same command goes on.';

/** @returns the error as it is if it is a bug */
export function toOperatorError(error: unknown, { aborted, reason }: AbortSignal): unknown {
  if (error instanceof OperatorError) return error;
  if (aborted)
    return reason instanceof OperatorError ? reason : new OperatorError(`interrupted. ${RUN_AGAIN}`, EXIT.later);
  return isTemporary(error)
    ? new OperatorError(`${error.message.replace(/\.$/, '')}. ${RUN_AGAIN}`, EXIT.later)
    : error;
}

const TEMPORARY = [AnotherRun, NotConfirmed, NoPrimary, TargetSetBack];

function isTemporary(error: unknown): error is Error {
  if (TEMPORARY.some((kind) => error instanceof kind)) return true;
  if (!(error instanceof Error)) return false;
  // Redis's own words, such as that it is full; or a server of a Cluster was lost, to which ioredis does not reconnect by itself.
  return (
    ['ReplyError', 'ClusterAllFailedError', 'AbortError'].includes(error.name) || isRefused(error) || isClosed(error)
  );
}

const isClosed = ({ message }: Error) => message === 'Connection is closed.';
