// The filter by which an operator selects dead letters.
import { z } from 'zod';
import type { Delivery } from '../delivery.ts';

const text = z.string().min(1).max(128);

/** All given members must match; an empty filter selects every dead letter. */
export const deadLetterFilterSchema = z.strictObject({
  code: text.optional(),
  hardwareConfigurationId: text.transform((id) => id.toLowerCase()).optional(),
  deviceId: text.optional(),
});
export type DeadLetterFilter = z.infer<typeof deadLetterFilterSchema>;

export function matches(delivery: Delivery, filter: DeadLetterFilter): boolean {
  return (
    (filter.code === undefined || filter.code === delivery.lastFailure?.code) &&
    (filter.hardwareConfigurationId === undefined ||
      filter.hardwareConfigurationId === delivery.hardwareConfigurationId) &&
    (filter.deviceId === undefined || filter.deviceId === delivery.deviceId)
  );
}
