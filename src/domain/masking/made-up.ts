// Whether a word looks made up, like a password, if nothing else distinguishes it from an ordinary word.

/** Numbers, dates, versions, codes, encodings, files, URLs, variables and placeholders. */
const ORDINARY =
  /^(?:[^\p{L}]*|0x[0-9a-f]+|v?\d+(?:[.:/\\-]\w{1,4})+|\d+(?:st|nd|rd|th|[smhdx%]|ms|min|sec|bit|bytes?|chars?|[kmg]i?b)?|e\d{3,}|kb\d{6,7}|(?:utf|sha|md|aes|rsa|pkcs|base|win|x|crypt|ecc|ntlmv?|tls|tpm|hmac|des|fips|os|dpapi)[-_#]?\d{1,4}\w{0,3}|[\w.~-]+\.(?:bin|exe|txt|ini|xml|json|ya?ml|log|csv|ps[md]?1|vbs|hta|cmd|bat|sh|cab|cer|pem|pfx|dll|cs|js|ts|py|cpp|cctk)(?::\d+)*|[a-z][a-z+.-]{1,12}:\/\/.*|[a-z]:[\\/].*|[./~]{0,2}[\\/].*|\\\\.*|[$%@!{<[].*|--?.*|[\w.-]{1,32}=.*|\*+|[\w.-]+\(.*|[\p{L}]+(?:['’/_&+-][\p{L}]+){0,5}[!?]*)$/iu;
const LETTER_AND_DIGIT = /(?=.*\p{L})(?=.*\d)/u;
const MARK = /[!#$%^&*+?~@=]/;
const PIN = /^\d{6,12}$/;

export function looksMadeUp(word: string): boolean {
  if (word.length < 4 || word.length > 128) return false;
  if (PIN.test(word)) return true;
  return (LETTER_AND_DIGIT.test(word) || MARK.test(word)) && !ORDINARY.test(word);
}
