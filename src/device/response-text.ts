// Reads a response's text, up to a length: an answer need not end.

/** @throws Error if it is longer */
export async function readText({ body }: Response, mostCharacters: number): Promise<string> {
  let text = '';
  for await (const part of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (text.length > mostCharacters) throw new Error('its answer does not end');
  }
  return text;
}
