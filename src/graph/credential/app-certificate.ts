// The app registration's certificate: loads private key and certificate from one PEM file and checks them.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { NoSettingFile, readSettingFile } from '../../config/setting-file.ts';

/** The file is missing or its content is not usable for Entra; the message names the file. */
export class CertificateFileError extends Error {
  constructor(file: string, problem: string, cause?: unknown) {
    super(`${file}: ${problem}`, { cause });
    this.name = 'CertificateFileError';
  }
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z]+ )?PRIVATE KEY-----/;

/**
 * Reads the file and returns its private key, decrypted, and its certificates as PEM.
 * @param password of an encrypted key
 * @param variable that names the file, for errors
 * @throws CertificateFileError
 */
export function readAppCertificate(
  path: string,
  password: string | null,
  variable = 'AZURE_CLIENT_CERTIFICATE_PATH',
): string {
  const file = `${variable} ${path}`;
  const pem = readFileAt(path, file);
  const [first, ...chain] = pem.match(CERTIFICATES) ?? [];
  if (first === undefined) throw new CertificateFileError(file, 'holds no certificate in PEM');
  const [keyPem] = PRIVATE_KEY.exec(pem) ?? [];
  if (keyPem === undefined) throw new CertificateFileError(file, 'holds no private key; put it into the same file');
  const key = readKey(file, keyPem, password);
  if (key.asymmetricKeyType !== 'rsa') {
    throw new CertificateFileError(
      file,
      `the key is of type ${key.asymmetricKeyType ?? 'unknown'}; Entra takes RSA keys`,
    );
  }
  if (!readCertificate(file, first).checkPrivateKey(key)) {
    throw new CertificateFileError(file, 'the private key does not belong to the first certificate');
  }
  return [key.export({ type: 'pkcs8', format: 'pem' }).toString().trim(), first, ...chain].join('\n');
}

function readFileAt(path: string, file: string): string {
  try {
    return readSettingFile(path);
  } catch (error) {
    if (error instanceof NoSettingFile) throw new CertificateFileError(file, `is ${error.message}`, error);
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new CertificateFileError(file, `cannot be read (${code})`, error);
  }
}

function readKey(file: string, pem: string, password: string | null): KeyObject {
  const isEncrypted = /BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(pem);
  if (isEncrypted && password === null) {
    throw new CertificateFileError(file, 'the key is encrypted; set AZURE_CLIENT_CERTIFICATE_PASSWORD');
  }
  try {
    return createPrivateKey(password === null ? pem : { key: pem, passphrase: password });
  } catch (error) {
    const problem = isEncrypted
      ? 'AZURE_CLIENT_CERTIFICATE_PASSWORD does not open the key'
      : 'the private key cannot be read';
    throw new CertificateFileError(file, problem, error);
  }
}

function readCertificate(file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new CertificateFileError(file, 'the certificate cannot be read', error);
  }
}
