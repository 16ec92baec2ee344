import type {
  Conversation,
  Message,
  Participant,
  SendAck,
  ServerFrame,
  User,
} from '../../src/gen/wire';

const AT = '2026-11-23T12:00:00.000Z';

export const ME = 'user-me';
export const ADA = 'user-ada';
export const C1 = 'conversation-1';

export const eventId = (seq: number): string => `event-${seq}`;

export const user = (id: string): User => ({
  id,
  username: id,
  display_name: id,
  created_at: AT,
});

const participant = (id: string): Participant => ({
  user: user(id),
  role: 'member',
  joined_seq: 1,
  last_read_seq: 0,
  last_read_at: null,
});

export const conversation = (fields: Partial<Conversation> = {}): Conversation => {
  const last_seq = fields.last_seq ?? 1;
  return {
    id: C1,
    kind: 'direct',
    title: null,
    share_history: false,
    created_by: ME,
    created_at: AT,
    last_seq,
    last_event_id: eventId(last_seq),
    last_message: null,
    participants: [participant(ME), participant(ADA)],
    participant_count: 2,
    role: 'member',
    joined_seq: 1,
    visible_from_seq: 1,
    last_read_seq: 0,
    last_read_at: null,
    unread_count: 0,
    unread_as_of_seq: last_seq,
    muted: false,
    pinned: false,
    ...fields,
  };
};

export const message = (seq: number, fields: Partial<Message> = {}): Message => ({
  id: eventId(seq),
  conversation_id: C1,
  seq,
  kind: 'text',
  sender_id: ADA,
  client_msg_id: `client-${seq}`,
  body: `text ${seq}`,
  reply_to_seq: null,
  created_at: AT,
  edited_at: null,
  deleted_at: null,
  updated_seq: seq,
  system: null,
  ...fields,
});

export const added = (seq: number, fields: Partial<Message> = {}): ServerFrame => ({
  type: 'message.new',
  conversation_id: fields.conversation_id ?? C1,
  seq,
  event_id: eventId(seq),
  payload: message(seq, fields),
});

export const updated = (
  seq: number,
  target: number,
  change: 'edited' | 'deleted',
  fields: Partial<Message> = {},
): ServerFrame => ({
  type: 'message.updated',
  conversation_id: C1,
  seq,
  event_id: eventId(seq),
  payload: {
    ...message(target, change === 'deleted' ? { body: null, deleted_at: AT } : {}),
    updated_seq: seq,
    change,
    ...fields,
  },
});

export const skip = (seq: number): ServerFrame => ({
  type: 'log.skip',
  conversation_id: C1,
  seq,
  event_id: eventId(seq),
  payload: {},
});

export const ready: ServerFrame = {
  type: 'ready',
  payload: {
    user: user(ME),
    device: 'device-1',
    server_time: AT,
    heartbeat_interval_ms: 25_000,
    max_frame_bytes: 65_536,
  },
};

export const sendAck = (client_msg_id: string, seq: number): SendAck => ({
  conversation_id: C1,
  seq,
  message_id: eventId(seq),
  client_msg_id,
  created_at: AT,
  duplicate: false,
});
