// `composite-ids`: a record's id is made of the configuration id, the device id and a number.
import { createHash } from 'node:crypto';
import type { NewRecord, Profile } from './profile.ts';

export const compositeIds: Profile = {
  about: 'ids of records are <configuration>_<device>_<number>, as in other parts of Intune',
  newId: ({ configurationId, deviceName, sequence }: NewRecord) => {
    const [, ...parts] = /^(.{8})(.{4})(.{4})(.{4})(.{12})/.exec(sha256(deviceName)) ?? [];
    return `${configurationId}_${parts.join('-')}_${sequence}`.toLowerCase();
  },
};

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
