// `no-keys`: records are created and listed, and nobody serves GET, PATCH and DELETE by their ids.
import { unserved } from './intune-error.ts';
import type { Profile } from './profile.ts';

const BY_KEY = ['get', 'update', 'delete'];

export const noKeys: Profile = {
  about: 'GET, PATCH and DELETE by a record’s id are answered 400, No method match route template',
  refuse: (request) => (BY_KEY.includes(request.operation) ? unserved(request) : undefined),
};
