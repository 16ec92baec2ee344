/** The server's limits for a message. */
export const MOST_CHARACTERS = 4_000;
const MOST_BYTES = 16 * 1024;

const encoder = new TextEncoder();

/** What the server will count: code points of what would be sent. */
export const lengthOf = (draft: string): number => [...clean(draft)].length;

/** The draft as it is sent; undefined if it cannot be sent as it is. */
export function sendable(draft: string): string | undefined {
  const body = clean(draft);
  const fits = lengthOf(body) <= MOST_CHARACTERS && encoder.encode(body).length <= MOST_BYTES;
  return body !== '' && fits ? body : undefined;
}

/** Blank lines around a text say nothing, and no database takes U+0000. */
const clean = (draft: string): string => draft.replaceAll('\0', '').trim();
