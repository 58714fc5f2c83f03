// `no-create`: the create route is documented but does not exist.
import { unserved } from './intune-error.ts';
import type { Profile } from './profile.ts';

export const noCreate: Profile = {
  about: 'creates are answered 400, No method match route template',
  refuse: (request) => (request.operation === 'create' ? unserved(request) : undefined),
};
