// `looping-pages`: listings have small pages, and the last page links back to the first.
import type { Profile } from './profile.ts';

export const loopingPages: Profile = {
  about: 'pages hold two records, and the last one’s @odata.nextLink leads to the first page',
  pageSize: 2,
  lastPage: 'back-to-the-first',
};
