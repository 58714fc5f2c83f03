// The response a fault produces: in the format of the endpoint that was called, or in the one the fault names.
import type { Answer } from '../server/answer.ts';
import { authorityFaultAnswer } from '../authority/authority-error.ts';
import type { Misbehaviour, ScriptedRetryAfter } from './fault.ts';
import { challenge } from '../graph/graph.ts';
import { directoryErrorAnswer, shapedErrorAnswer } from '../graph/graph-error.ts';
import type { Trace } from '../graph/graph-error.ts';
import { isDirectoryOperation, isGraphOperation } from './operation.ts';
import type { Operation } from './operation.ts';

type FaultAnswer = Extract<Misbehaviour, { kind: 'answer' }>;

/** The response has the fault's status. In the default format, its body is that of Graph or of the token endpoint. */
export function toFaultAnswer(fault: FaultAnswer, operation: Operation, trace: Trace): Answer {
  const answer = fault.body === 'graph' ? ordinaryAnswer(fault.status, operation, trace) : oddAnswer(fault, trace);
  if (fault.status === 401 && isGraphOperation(operation)) {
    answer.headers['WWW-Authenticate'] = challenge(fault.challenge, trace.at);
  }
  if (fault.retryAfter === undefined) return answer;
  return { ...answer, ...withRetryAfter(answer, fault.retryAfter, trace.at) };
}

function ordinaryAnswer(status: number, operation: Operation, trace: Trace): Answer {
  if (!isGraphOperation(operation)) return authorityFaultAnswer(status, trace);
  if (isDirectoryOperation(operation)) return directoryErrorAnswer(status, trace);
  return shapedErrorAnswer({ status, shape: 'graph', message: oddMessage, trace });
}

const oddMessage = 'An error has occurred.';
const oddAnswer = ({ status, body }: FaultAnswer, trace: Trace): Answer =>
  shapedErrorAnswer({ status, shape: body, message: oddMessage, trace });

/** Adds the scripted header, and the wait it asks for if it can be read. */
function withRetryAfter(answer: Answer, asked: ScriptedRetryAfter, at: Date): Partial<Answer> {
  const headers = (text: string) => ({ ...answer.headers, 'Retry-After': text });
  switch (asked.spelling) {
    case 'seconds':
      return { headers: headers(asked.text), retryAfterMs: Number(asked.text) * 1000 };
    case 'http-date': {
      const until = new Date(Math.ceil(at.getTime() / 1000 + asked.seconds) * 1000);
      return { headers: headers(until.toUTCString()), retryAfterMs: until.getTime() - at.getTime() };
    }
    case 'garbage':
      return { headers: headers('soon') };
    case 'huge':
      return { headers: headers('99999999'), retryAfterMs: 99_999_999_000 };
  }
}
