// `app-only-403`: the permission is granted, but app-only tokens are refused.
import { refused } from './intune-error.ts';
import type { Profile } from './profile.ts';

export const appOnly403: Profile = {
  about: 'every request with an app’s token is answered 403, whatever its roles',
  refuse: (request) =>
    refused({ request, status: 403, message: 'Application is not authorized to perform this operation' }),
};
