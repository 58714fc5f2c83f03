// `shortening`: long texts are truncated when stored.
import type { Profile } from './profile.ts';

export const shortening: Profile = {
  about: 'records show the first 256 characters of output and error',
  longestText: 256,
};
