import type { ClientFrame, ServerFrame } from '../../gen/wire';

type FrameType = ServerFrame['type'];
export type FrameOf<T extends FrameType> = Extract<ServerFrame, { type: T }>;
export type LogFrame = FrameOf<'message.new' | 'message.updated' | 'log.skip'>;

export const isLogFrame = (frame: ServerFrame): frame is LogFrame =>
  frame.type === 'message.new' || frame.type === 'message.updated' || frame.type === 'log.skip';

export const encode = (frame: ClientFrame, id?: string): string =>
  JSON.stringify(id === undefined ? frame : { ...frame, id });

/**
 * Guards the envelope, not the payload: the server's types are generated from the same source as
 * ours, but a frame type this client does not know yet must not reach the rules below.
 */
export function decode(data: unknown): ServerFrame | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const frame: unknown = JSON.parse(data);
    return isEnvelope(frame) ? frame : undefined;
  } catch {
    return undefined;
  }
}

function isEnvelope(frame: unknown): frame is ServerFrame {
  if (typeof frame !== 'object' || frame === null) return false;
  const { type, conversation_id, seq, payload } = frame as Record<string, unknown>;
  if (typeof type !== 'string' || typeof payload !== 'object') return false;
  const logged = type === 'message.new' || type === 'message.updated' || type === 'log.skip';
  if (logged && !Number.isSafeInteger(seq)) return false;
  return !(logged || type.startsWith('conversation.')) || typeof conversation_id === 'string';
}
