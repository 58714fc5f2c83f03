// `throttle end`: ends Graph's throttle before its time, once the operator has confirmed.
import { statusSchema, throttleEndSchema } from '../../http/response/response-schemas.ts';
import { confirm } from './confirm.ts';
import { operate, type OperatorFlags } from './operator.ts';
import { print } from '../out.ts';

export type ThrottleFlags = OperatorFlags & { yes?: true };

export async function endThrottle(flags: ThrottleFlags): Promise<void> {
  const { tenants } = await operate(flags, '/v1/status', { schema: statusSchema });
  const throttled = tenants.flatMap(({ id, holds }) =>
    holds.filter(({ reason }) => reason === 'throttled').map(({ detail, since }) => ({ id, detail, since })),
  );
  for (const { id, detail, since } of throttled) print(`${id}: ${detail}, since ${since}`);
  if (throttled.length === 0) {
    print('Nothing is throttled.');
    return;
  }
  await confirm('End it, so that Graph is called at once? If Graph meant it, it will say so again.', flags.yes);
  for (const { id } of throttled) {
    const { ended } = await operate({ ...flags, tenant: id }, '/v1/throttle/end', {
      schema: throttleEndSchema,
      body: {},
    });
    const which = throttled.length === 1 ? '' : `${id}: `;
    print(`${which}${ended ? 'Ended.' : 'It had passed already.'}`);
  }
}
