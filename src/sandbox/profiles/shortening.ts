// `shortening`: long texts are kept only in part.
import type { Profile } from './profile.ts';

export const shortening: Profile = {
  about: 'records show the first 256 characters of output and error',
  longestText: 256,
};
