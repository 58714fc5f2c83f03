// Compares version numbers by their first two parts.

/**
 * @param {string} version such as `7.0.15`
 * @param {string} minimum such as `6.2`
 */
export function isAtLeast(version, minimum) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = minimum.split('.').map(Number);
  return major === wantedMajor ? minor >= wantedMinor : major > wantedMajor;
}
