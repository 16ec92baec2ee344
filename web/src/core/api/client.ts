import type {
  AuthResponse,
  Conversation,
  CreateConversation,
  Cursor,
  History,
  Page,
  Participant,
  SyncResponse,
  Ticket,
  User,
} from '../../gen/wire';
import type { Auth } from './auth';
import { call } from './http';

export interface Credentials {
  username: string;
  password: string;
  display_name?: string;
  device_id?: string;
  device_secret?: string;
}

export const login = (credentials: Credentials): Promise<AuthResponse> =>
  call('/auth/login', { method: 'POST', body: credentials });

export const register = (credentials: Credentials): Promise<AuthResponse> =>
  call('/auth/register', { method: 'POST', body: credentials });

/** One function per route, as the signed-in user. */
export class Api {
  constructor(private readonly auth: Auth) {}

  logout(): Promise<void> {
    return this.auth.request('/auth/logout', { method: 'POST', body: {} });
  }

  ticket(): Promise<Ticket> {
    return this.auth.request('/auth/ticket', { method: 'POST' });
  }

  me(): Promise<User> {
    return this.auth.request('/users/me');
  }

  user(id: string): Promise<User> {
    return this.auth.request(`/users/${id}`);
  }

  searchUsers(query: string, signal: AbortSignal): Promise<Page<User>> {
    return this.auth.request(`/users?query=${encodeURIComponent(query)}`, { signal });
  }

  conversation(id: string): Promise<Conversation> {
    return this.auth.request(`/conversations/${id}`);
  }

  createConversation(body: CreateConversation): Promise<Conversation> {
    return this.auth.request('/conversations', { method: 'POST', body });
  }

  participants(id: string): Promise<Page<Participant>> {
    return this.auth.request(`/conversations/${id}/participants`);
  }

  history(id: string, before?: number): Promise<History> {
    const query = before === undefined ? '' : `?before=${before}`;
    return this.auth.request(`/conversations/${id}/messages${query}`);
  }

  sync(cursors: Record<string, Cursor>): Promise<SyncResponse> {
    return this.auth.request('/sync', { method: 'POST', body: { cursors } });
  }
}
