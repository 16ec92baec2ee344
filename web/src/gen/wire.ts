// Generated from the gateway's Rust types by `make gen`. Do not edit.

export type AccessToken = { access_token: string, };

/**
 * Fields of every `ack`; which are present depends on the frame it answers.
 */
export type Ack = SendAck | ReadAck | ChangeAck | Empty;

export type AddParticipants = { 
/**
 * 1 to 100; those who are members already are left as they are.
 */
user_ids: Array<UserId>, };

/**
 * What a registration and a login answer.
 */
export type AuthResponse = { access_token: Secret, 
/**
 * Null for a browser, which has it in an `HttpOnly` cookie.
 */
refresh_token: Secret | null, 
/**
 * Always `Bearer`.
 */
token_type: string, 
/**
 * Seconds that the access token is valid for.
 */
expires_in: number, 
/**
 * Shown this once: see `device_secret` of the login.
 */
device_secret: Secret, user: User, device: Device, };

/**
 * What a `message.updated` did.
 */
export type Change = "edited" | "deleted";

/**
 * Answer to `message.edit` and `message.delete`; `seq` is the message's.
 */
export type ChangeAck = { conversation_id: ConversationId, seq: number, duplicate: boolean, };

export type ChangePassword = { current_password: Secret, 
/**
 * 8 to 128 characters.
 */
new_password: Secret, };

/**
 * Client → server. `id`, when given, comes back with the `ack` or `error`.
 */
export type ClientFrame = { "type": "authenticate", "payload": AccessToken } | { "type": "auth.renew", "payload": AccessToken } | { "type": "hello", "payload": Hello } | { "type": "message.send", "payload": MessageSend } | { "type": "message.edit", "payload": MessageEdit } | { "type": "message.delete", "payload": MessageDelete } | { "type": "conversation.read", "payload": ConversationRead } | { "type": "user.typing", "payload": UserTyping } | { "type": "presence.set", "payload": PresenceSet } | { "type": "presence.watch", "payload": PresenceWatch } | { "type": "ping", "payload": Empty };

/**
 * Chosen by a group's creator: makes its creation idempotent.
 */
export type ClientId = string;

/**
 * Chosen by the sender: makes a send idempotent for ever.
 */
export type ClientMessageId = string;

/**
 * A conversation as one member sees it: the state of its log at `last_seq`,
 * plus that member's own registers.
 */
export type Conversation = { id: ConversationId, kind: ConversationKind, 
/**
 * Groups only; at most 120 characters.
 */
title: string | null, 
/**
 * Whether who joins sees what was said before.
 */
share_history: boolean, created_by: UserId | null, created_at: Timestamp, last_seq: number, last_event_id: EventId, 
/**
 * The newest message I may see, its body cut to 200 characters.
 */
last_message: Message | null, 
/**
 * At most 8; the rest by `GET …/participants`.
 */
participants: Array<Participant>, participant_count: number, 
/**
 * My own role.
 */
role: Role, joined_seq: number, visible_from_seq: number, last_read_seq: number, last_read_at: Timestamp | null, 
/**
 * Texts of others after my read mark; stops at 100.
 */
unread_count: number, 
/**
 * The `last_seq` that `unread_count` was counted at.
 */
unread_as_of_seq: number, muted: boolean, pinned: boolean, };

/**
 * A direct or group conversation.
 */
export type ConversationId = string;

export type ConversationKind = "direct" | "group";

export type ConversationPage = { items: Array<Conversation>, done: boolean, };

export type ConversationRead = { conversation_id: ConversationId, seq: number, };

export type CreateConversation = { kind: ConversationKind, 
/**
 * Groups only: makes the creation idempotent for this creator.
 */
client_id?: ClientId | null, 
/**
 * Groups only; 1 to 120 characters.
 */
title?: string | null, 
/**
 * The others; exactly one for a direct conversation, at most 100.
 */
participant_ids: Array<UserId>, 
/**
 * Groups only: whether who joins later sees what was said before.
 */
share_history?: boolean | null, };

/**
 * The highest entry applied without a hole. `event_id` may be null only at
 * `joined_seq - 1`, before the first entry.
 */
export type Cursor = { seq: number, event_id: EventId | null, };

export type DeleteAccount = { password: Secret, };

/**
 * One login of mine.
 */
export type Device = { id: DeviceId, label: string, created_at: Timestamp, last_seen_at: Timestamp, 
/**
 * Whether it is the device that asks.
 */
current: boolean, };

/**
 * One login of a user; lives until revoked.
 */
export type DeviceId = string;

export type Empty = Record<symbol, never>;

/**
 * An entry of a conversation's log; for a message also the message's id.
 */
export type EventId = string;

export type FrameError = { 
/**
 * Stable; see the table of codes.
 */
code: string, message: string, retryable: boolean, retry_after_ms?: number, };

/**
 * Chosen by the client, returned with the answer.
 */
export type FrameId = string | number;

export type Hello = { 
/**
 * Where the device is, by conversation; at most 500.
 */
cursors: { [key in ConversationId]: Cursor }, 
/**
 * Name and version of the client software; at most 64 characters.
 */
client?: string | null, };

/**
 * A stretch of history, ascending. `range` is the part of the log it
 * covers: the seqs of messages alone are not dense.
 */
export type History = { messages: Array<Message>, range: SeqRange, has_more_before: boolean, has_more_after: boolean, };

export type Left = { 
/**
 * Null when it is not known: the user was never in it, or is back already.
 */
left_seq: number | null, };

export type LoginRequest = { username: string, password: Secret, device_label?: string | null, 
/**
 * With `device_secret`, of an earlier login of this account: a known
 * device is not locked out by the guesses of strangers.
 */
device_id?: DeviceId | null, device_secret?: Secret | null, };

/**
 * Somebody's read mark moved. The unread fields come to the reader's own
 * devices only.
 */
export type MarkMoved = { user_id: UserId, last_read_seq: number, last_read_at: Timestamp | null, unread_count?: number, unread_as_of_seq?: number, };

/**
 * One message in its current state. Where two copies meet, the one with the
 * higher `updated_seq` wins.
 */
export type Message = { 
/**
 * Also the event id of its entry in the log.
 */
id: EventId, conversation_id: ConversationId, seq: number, kind: MessageKind, sender_id: UserId, 
/**
 * Null for system messages.
 */
client_msg_id: ClientMessageId | null, 
/**
 * 1 to 4,000 characters and at most 16 KiB; null when deleted, and for
 * system messages.
 */
body: string | null, reply_to_seq: number | null, created_at: Timestamp, edited_at: Timestamp | null, deleted_at: Timestamp | null, 
/**
 * `seq` of the entry that last touched this message; its own at first.
 */
updated_seq: number, 
/**
 * What happened, for system messages; null for text.
 */
system: SystemEvent | null, };

export type MessageDelete = { conversation_id: ConversationId, seq: number, };

export type MessageEdit = { conversation_id: ConversationId, seq: number, body: string, };

export type MessageKind = "text" | "system";

export type MessageSend = { conversation_id: ConversationId, client_msg_id: ClientMessageId, body: string, reply_to_seq?: number | null, };

/**
 * One page of a list; `next` is an opaque cursor, null on the last page.
 */
export type Page<T> = { items: Array<T>, next: string | null, };

export type Participant = { user: User, role: Role, joined_seq: number, last_read_seq: number, last_read_at: Timestamp | null, };

export type PatchConversation = { title: string, };

export type PatchMembership = { muted?: boolean | null, pinned?: boolean | null, };

export type PatchMessage = { body: string, };

export type PatchParticipant = { role: Role, };

export type PatchUser = { 
/**
 * 1 to 64 characters.
 */
display_name: string, };

export type PostMessage = { client_msg_id: ClientMessageId, body: string, reply_to_seq?: number | null, };

export type PostRead = { seq: number, };

export type Presence = { user_id: UserId, status: PresenceStatus, last_seen_at: Timestamp | null, };

export type PresenceSet = { status: SettablePresence, };

export type PresenceStatus = "online" | "away" | "offline" | "unknown";

export type PresenceWatch = { 
/**
 * Replaces the earlier list; at most 200.
 */
user_ids: Array<UserId>, };

/**
 * What every refusal and failure answers.
 */
export type Problem = { 
/**
 * A name for the kind of problem: `urn:parley:problem:` and the code.
 */
type: string, 
/**
 * What the code means.
 */
title: string, status: number, 
/**
 * What it means here.
 */
detail: string, 
/**
 * Stable; branch on this.
 */
code: string, 
/**
 * The field of the request that is to blame.
 */
field?: string, 
/**
 * Whether the same request may succeed later: see `Retry-After`.
 */
retryable: boolean, 
/**
 * `Retry-After` to the millisecond.
 */
retry_after_ms?: number, };

export type ReadAck = { conversation_id: ConversationId, last_read_seq: number, last_read_at: Timestamp | null, unread_count: number, unread_as_of_seq: number, };

export type Ready = { user: User, device: DeviceId, server_time: Timestamp, heartbeat_interval_ms: number, max_frame_bytes: number, };

export type Reconnect = { after_ms: number, reason: string, };

/**
 * The body may be left out altogether: a browser's token is in its cookie.
 */
export type RefreshRequest = { refresh_token?: Secret | null, };

export type RegisterRequest = { 
/**
 * 1 to 32 of `a-z A-Z 0-9 . _ -`, unique without regard to case.
 */
username: string, 
/**
 * 8 to 128 characters.
 */
password: Secret, 
/**
 * 1 to 64 characters; the username when absent.
 */
display_name?: string | null, 
/**
 * What the list of devices calls this one; 1 to 64 characters.
 */
device_label?: string | null, };

export type Reset = { reason: ResetReason, conversation: Conversation, };

export type ResetReason = "fork" | "behind" | "rejoined";

/**
 * What a participant may do; ordered by power.
 */
export type Role = "member" | "admin" | "owner";

/**
 * A password or a token: on the wire a plain string, in `Debug` nothing.
 */
export type Secret = string;

/**
 * Answer to `message.send`, the same for every repeat but for `duplicate`.
 */
export type SendAck = { conversation_id: ConversationId, seq: number, message_id: EventId, client_msg_id: ClientMessageId, created_at: Timestamp, duplicate: boolean, };

/**
 * Inclusive at both ends; empty when `to_seq` is below `from_seq`.
 */
export type SeqRange = { from_seq: number, to_seq: number, };

/**
 * Server → client. Entries of the log carry `conversation_id`, `seq` and
 * `event_id`; a device applies them strictly in `seq` order.
 */
export type ServerFrame = { "type": "ack", id: FrameId | null, payload: Ack, } | { "type": "error", id: FrameId | null, payload: FrameError, } | { "type": "ready", payload: Ready, } | { "type": "conversations", payload: ConversationPage, } | { "type": "live", payload: Empty, } | { "type": "message.new", conversation_id: ConversationId, seq: number, event_id: EventId, payload: Message, } | { "type": "message.updated", conversation_id: ConversationId, seq: number, event_id: EventId, payload: UpdatedMessage, } | { "type": "log.skip", conversation_id: ConversationId, seq: number, event_id: EventId, payload: Empty, } | { "type": "conversation.read", conversation_id: ConversationId, payload: MarkMoved, } | { "type": "conversation.added", conversation_id: ConversationId, payload: Conversation, } | { "type": "conversation.removed", conversation_id: ConversationId, payload: Left, } | { "type": "conversation.settings", conversation_id: ConversationId, payload: Settings, } | { "type": "conversation.reset", conversation_id: ConversationId, payload: Reset, } | { "type": "user.updated", payload: User, } | { "type": "user.typing", conversation_id: ConversationId, payload: Typing, } | { "type": "presence.updated", payload: Presence, } | { "type": "heartbeat", payload: Empty, } | { "type": "pong", id: FrameId | null, payload: Empty, } | { "type": "reconnect", payload: Reconnect, };

export type SettablePresence = "online" | "away";

export type Settings = { muted: boolean, pinned: boolean, };

export type SyncConversation = { id: ConversationId, status: SyncStatus, 
/**
 * Null when `gone`.
 */
conversation: Conversation | null, 
/**
 * The frames the socket would send, in order.
 */
events: Array<ServerFrame>, complete: boolean, };

export type SyncRequest = { 
/**
 * At most 500.
 */
cursors: { [key in ConversationId]: Cursor }, };

export type SyncResponse = { conversations: Array<SyncConversation>, 
/**
 * False: ask again with the cursors moved on.
 */
complete: boolean, };

export type SyncStatus = "ok" | "reset" | "gone" | "new";

/**
 * A change to the conversation itself, told as a message of kind `system`.
 * `sender_id` of that message is who did it.
 */
export type SystemEvent = { "event": "created" } | { "event": "participant_added", 
/**
 * At most 100.
 */
user_ids: Array<UserId>, } | { "event": "participant_removed", user_id: UserId, } | { "event": "participant_left", user_id: UserId, } | { "event": "title_changed", title: string, } | { "event": "role_changed", user_id: UserId, role: Role, };

/**
 * For `/ws?token=`: valid once.
 */
export type Ticket = { ticket: Secret, 
/**
 * Seconds.
 */
expires_in: number, };

/**
 * A moment in UTC with millisecond precision; RFC 3339 on the wire
 * (`2026-11-23T14:02:07.120Z`). Nothing is ever ordered by it.
 */
export type Timestamp = string;

/**
 * What a refresh answers; the fields mean what they mean there.
 */
export type TokenResponse = { access_token: Secret, refresh_token: Secret | null, token_type: string, expires_in: number, };

export type Typing = { user_id: UserId, typing: boolean, expires_in_ms: number, };

export type UpdatedMessage = { change: Change, 
/**
 * Also the event id of its entry in the log.
 */
id: EventId, conversation_id: ConversationId, seq: number, kind: MessageKind, sender_id: UserId, 
/**
 * Null for system messages.
 */
client_msg_id: ClientMessageId | null, 
/**
 * 1 to 4,000 characters and at most 16 KiB; null when deleted, and for
 * system messages.
 */
body: string | null, reply_to_seq: number | null, created_at: Timestamp, edited_at: Timestamp | null, deleted_at: Timestamp | null, 
/**
 * `seq` of the entry that last touched this message; its own at first.
 */
updated_seq: number, 
/**
 * What happened, for system messages; null for text.
 */
system: SystemEvent | null, };

/**
 * A person as others see them.
 */
export type User = { id: UserId, 
/**
 * Unique, compared without case; 1 to 32 of `a-z A-Z 0-9 . _ -`.
 */
username: string, 
/**
 * 1 to 64 characters.
 */
display_name: string, created_at: Timestamp, };

/**
 * A person.
 */
export type UserId = string;

export type UserTyping = { conversation_id: ConversationId, typing: boolean, };
