// `no-filter` and `no-filter-500`: listings work, but not with $filter.
import { refused } from './intune-error.ts';
import type { Profile } from './profile.ts';

export const noFilter = (status: 400 | 500): Profile => ({
  about: `$filter is answered ${status}, listings without it work`,
  refuse: (request) =>
    request.operation === 'list' && request.url.searchParams.has('$filter')
      ? refused({
          request,
          status,
          message: status === 400 ? 'Filter is not supported.' : 'An internal server error has occurred',
        })
      : undefined,
});
