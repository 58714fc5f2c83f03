// `no-keys`: create and list work, but GET, PATCH and DELETE by id do not exist.
import { unserved } from './intune-error.ts';
import type { Profile } from './profile.ts';

const BY_KEY = ['get', 'update', 'delete'];

export const noKeys: Profile = {
  about: 'GET, PATCH and DELETE by a record’s id are answered 400, No method match route template',
  refuse: (request) => (BY_KEY.includes(request.operation) ? unserved(request) : undefined),
};
