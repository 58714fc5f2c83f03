// `forbidden-configuration`: the app may not touch one hardware configuration, as with scope tags.
import { refused } from './intune-error.ts';
import type { Profile } from './profile.ts';

export const forbiddenConfiguration: Profile = {
  about: 'all requests about the first hardware configuration are answered 403',
  refuse: (request) =>
    request.isOfFirstConfiguration
      ? refused({
          request,
          status: 403,
          message: 'User is not authorized to perform this operation on this hardware configuration',
        })
      : undefined,
};
