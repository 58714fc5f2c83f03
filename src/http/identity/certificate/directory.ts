// What the API asks of the device directory: whether it vouches for a device's certificate.

/** `bad`: the directory does not vouch for it, and why, for the log only. `unknown`: it has not answered yet. */
export type DirectoryVerdict = { kind: 'good' } | { kind: 'bad'; reason: string } | { kind: 'unknown'; reason: string };

/**
 * Called only with requests whose signature is valid under the certificate they show.
 * @param deviceId a GUID in lower case
 * @param key as from `toDirectoryKey`
 * @throws if Redis does not answer
 */
export type VerifyInDirectory = (deviceId: string, key: string) => Promise<DirectoryVerdict>;

/** The question about one certificate. @throws if Redis does not answer */
export type AskDirectory = () => Promise<DirectoryVerdict>;
