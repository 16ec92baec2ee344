import type { Conversation, Presence, User } from '../gen/wire';
import { NoAnswer } from './api/http';

/** Everybody this device has heard of, and whether they are here. */
export class People {
  private readonly users = new Map<string, User>();
  private readonly presence = new Map<string, Presence>();
  private readonly asked = new Set<string>();

  constructor(
    private readonly fetch: (id: string) => Promise<User>,
    private readonly changed: (id: string) => void,
  ) {}

  /** A user that is not known yet is asked for, and `changed` tells when they are. */
  find(id: string): User | undefined {
    const user = this.users.get(id);
    if (user === undefined && !this.asked.has(id)) {
      this.asked.add(id);
      this.fetch(id).then(
        (found) => this.put(found),
        (error: unknown) => {
          if (error instanceof NoAnswer) this.asked.delete(id);
        },
      );
    }
    return user;
  }

  /** Without asking. */
  known(id: string): User | undefined {
    return this.users.get(id);
  }

  put(user: User): void {
    const known = this.users.get(user.id);
    if (known?.display_name === user.display_name && known.username === user.username) return;
    this.users.set(user.id, user);
    this.changed(user.id);
  }

  learn(conversation: Conversation): void {
    for (const { user } of conversation.participants) this.put(user);
  }

  status(id: string): Presence['status'] {
    return this.presence.get(id)?.status ?? 'unknown';
  }

  heard(presence: Presence): void {
    this.presence.set(presence.user_id, presence);
    this.changed(presence.user_id);
  }

  /** Nothing of this is known any more: the connection is gone. */
  clearPresence(): void {
    const users = [...this.presence.keys()];
    this.presence.clear();
    for (const id of users) this.changed(id);
  }
}
