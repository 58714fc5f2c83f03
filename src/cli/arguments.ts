// Parsers for command-line arguments; commander reports their errors.
import { InvalidArgumentError } from 'commander';

/** A whole number in a range. */
export const whole = (min: number, max: number) => (text: string) => {
  const number = Number(text);
  if (!/^-?\d+$/.test(text) || number < min || number > max) {
    throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}.`);
  }
  return number;
};
export const port = whole(0, 65_535);
export const url = (text: string) => {
  if (!URL.canParse(text) || !/^https?:/.test(text)) throw new InvalidArgumentError('must be an http or https URL.');
  return text;
};
export const guid = (text: string) => {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new InvalidArgumentError('must be a GUID.');
  return text;
};
