import type { Message } from '../gen/wire';

export interface Situation {
  me: string;
  live: boolean;
  /** The server's clock when the connection began. */
  connectedAt: string;
  muted: boolean;
  /** The message's conversation is open and the page visible. */
  watching: boolean;
}

/** Whether a message is news that somebody should be told of. */
export const isNews = (message: Message, situation: Situation): boolean =>
  message.kind === 'text' &&
  message.body !== null &&
  message.sender_id !== situation.me &&
  situation.live &&
  Date.parse(message.created_at) >= Date.parse(situation.connectedAt) &&
  !situation.muted &&
  !situation.watching;
