// `one-row-per-device` and `one-row-per-device-replaced`: a configuration keeps one record per device.
import type { Profile } from './profile.ts';

export const oneRowPerDevice: Profile = {
  about: 'a second create of a device is answered 409, the record that is there stays',
  secondOfDevice: 'conflict',
};

export const oneRowReplaced: Profile = {
  about: 'a second create of a device replaces its record and is answered with the same id',
  secondOfDevice: 'replaces',
};
