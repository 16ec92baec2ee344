import type {
  AuthResponse,
  ChangeAck,
  ChangePassword,
  Conversation,
  CreateConversation,
  Cursor,
  Device,
  History,
  Page,
  Participant,
  PatchMembership,
  Role,
  Settings,
  SyncResponse,
  Ticket,
  User,
} from '../../gen/wire';
import type { PageQuery } from '../timeline/pages';
import type { Auth } from './auth';
import { call } from './http';

export interface Credentials {
  username: string;
  password: string;
  display_name?: string;
  /** What the list of sessions calls this browser. */
  device_label?: string;
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

  rename(id: string, title: string): Promise<Conversation> {
    return this.auth.request(`/conversations/${id}`, { method: 'PATCH', body: { title } });
  }

  settings(id: string, change: PatchMembership): Promise<Settings> {
    return this.auth.request(`/conversations/${id}/me`, { method: 'PATCH', body: change });
  }

  participants(id: string, after?: string): Promise<Page<Participant>> {
    const query = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
    return this.auth.request(`/conversations/${id}/participants?limit=200${query}`);
  }

  addParticipants(id: string, user_ids: string[]): Promise<Conversation> {
    const body = { user_ids };
    return this.auth.request(`/conversations/${id}/participants`, { method: 'POST', body });
  }

  /** Removing oneself is leaving. */
  removeParticipant(id: string, user: string): Promise<void> {
    return this.auth.request(`/conversations/${id}/participants/${user}`, { method: 'DELETE' });
  }

  setRole(id: string, user: string, role: Role): Promise<void> {
    const path = `/conversations/${id}/participants/${user}`;
    return this.auth.request(path, { method: 'PATCH', body: { role } });
  }

  history(id: string, query: PageQuery): Promise<History> {
    const [[side, seq] = []] = Object.entries(query) as [string, number][];
    const which = side === undefined ? '' : `?${side}=${seq}`;
    return this.auth.request(`/conversations/${id}/messages${which}`);
  }

  edit(id: string, seq: number, body: string): Promise<ChangeAck> {
    const path = `/conversations/${id}/messages/${seq}`;
    return this.auth.request(path, { method: 'PATCH', body: { body } });
  }

  remove(id: string, seq: number): Promise<ChangeAck> {
    return this.auth.request(`/conversations/${id}/messages/${seq}`, { method: 'DELETE' });
  }

  setDisplayName(display_name: string): Promise<User> {
    return this.auth.request('/users/me', { method: 'PATCH', body: { display_name } });
  }

  changePassword(body: ChangePassword): Promise<void> {
    return this.auth.request('/users/me/password', { method: 'POST', body });
  }

  deleteAccount(password: string): Promise<void> {
    return this.auth.request('/users/me', { method: 'DELETE', body: { password } });
  }

  devices(): Promise<Page<Device>> {
    return this.auth.request('/devices?limit=200');
  }

  revoke(device: string): Promise<void> {
    return this.auth.request(`/devices/${device}`, { method: 'DELETE' });
  }

  sync(cursors: Record<string, Cursor>): Promise<SyncResponse> {
    return this.auth.request('/sync', { method: 'POST', body: { cursors } });
  }
}
