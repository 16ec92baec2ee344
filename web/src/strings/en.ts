import type { SystemEvent } from '../gen/wire';

/** Every sentence a person can see. */
export const text = {
  product: 'Parley',
  broken: 'Something went wrong on this page. Nothing you sent is lost.',
  reload: 'Reload',

  signIn: 'Sign in',
  signUp: 'Create account',
  signInTitle: 'Sign in to Parley',
  signUpTitle: 'Create your account',
  noAccount: 'No account yet?',
  haveAccount: 'Have an account?',
  username: 'Username',
  password: 'Password',
  displayName: 'Display name',
  optional: 'optional',
  usernameHint: 'Up to 32 letters, digits, “.”, “_” or “-”.',
  passwordHint: 'At least 8 characters.',
  showPassword: 'Show password',
  usernameMissing: 'Enter a username.',
  passwordMissing: 'Enter your password.',
  passwordShort: 'Enter a password of at least 8 characters.',
  badCredentials: 'The name or the password is wrong.',
  usernameTaken: 'That name is taken.',
  noAnswer: 'The server cannot be reached. Your text is kept; try again.',
  tooMany: (seconds: number): string =>
    `Too many attempts. Try again in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}.`,

  expiredTitle: 'Your session has ended',
  expiredText: 'Sign in again to go on where you were. Drafts and unsent messages are kept.',

  conversations: 'Conversations',
  noConversations: 'No conversations yet.',
  noConversationsHint: 'Find someone with the pencil button above.',
  newConversation: 'New conversation',
  nothingOpen: 'Nothing open. Pick a conversation.',
  notMember: 'This conversation does not exist, or you are not in it.',
  backToList: 'Back to conversations',
  loading: 'Loading…',

  account: 'Account',
  theme: 'Theme',
  themes: { system: 'System', light: 'Light', dark: 'Dark' },
  signOut: 'Sign out',
  signOutUnsentTitle: 'Sign out with unsent messages?',
  signOutUnsent: (count: number): string =>
    count === 1
      ? 'One message has not reached the server. Signing out deletes it.'
      : `${count} messages have not reached the server. Signing out deletes them.`,
  signOutAnyway: 'Delete and sign out',

  findPeople: 'Find people',
  findPeopleHint: 'Type a name. Choose one person, or several for a group.',
  nobodyFound: 'Nobody found.',
  results: 'People found',
  chosen: 'Chosen',
  removeChosen: (name: string): string => `Remove ${name}`,
  groupTitle: 'Group name',
  startDirect: 'Start conversation',
  startGroup: 'Create group',
  cancel: 'Cancel',
  close: 'Close',

  connecting: 'Connecting…',
  offline: 'You’re offline. Messages will be sent later.',
  reconnecting: (seconds: number): string => `Reconnecting in ${seconds} s`,
  retryNow: 'Retry now',

  messages: 'Messages',
  loadOlder: 'Load older messages',
  loadFailed: 'Older messages could not be loaded.',
  openFailed: 'Messages could not be loaded.',
  tryAgain: 'Try again',
  beginning: 'This is the beginning of the conversation.',
  sayHello: (name: string): string => `Say hello to ${name}.`,
  newDivider: 'New',
  deleted: 'Message deleted',
  edited: 'edited',
  waiting: 'Sending',
  sent: 'Sent',
  notSent: 'Not sent',
  seen: (time: string): string => (time === '' ? 'Seen' : `Seen ${time}`),
  retry: 'Retry',
  discard: 'Delete',
  toLatest: 'Jump to latest',
  newBelow: (count: number): string => (count === 1 ? '1 new message' : `${count} new messages`),

  composer: (name: string): string => `Message ${name}`,
  send: 'Send',
  left: (count: number): string => `${count} characters left`,
  tooLong: (count: number): string =>
    `${count} ${count === 1 ? 'character' : 'characters'} too many`,

  typing: ([first = '', second = '', ...others]: string[]): string => {
    if (second === '') return first === '' ? '' : `${first} is typing`;
    if (others.length === 0) return `${first} and ${second} are typing`;
    return `${others.length + 2} people are typing`;
  },

  unread: (count: number): string => `${badge(count)} unread`,
  presence: { online: 'online', away: 'away', offline: 'offline', unknown: '' },
  members: (count: number): string => `${count} ${count === 1 ? 'member' : 'members'}`,
  notifications: 'Notifications',
  someone: 'Someone',
  you: 'You',
  yourself: 'you',
};

export const badge = (count: number): string => (count >= 100 ? '99+' : String(count));

/** What a system message says; `name` gives a user's name within a sentence. */
export function systemText(
  event: SystemEvent,
  actor: string,
  name: (user: string) => string,
): string {
  switch (event.event) {
    case 'created':
      return `${actor} started the conversation`;
    case 'participant_added':
      return `${actor} added ${listed(event.user_ids.map(name))}`;
    case 'participant_removed':
      return `${actor} removed ${name(event.user_id)}`;
    case 'participant_left':
      return `${actor} left`;
    case 'title_changed':
      return `${actor} named the group “${event.title}”`;
    case 'role_changed':
      return `${actor} made ${name(event.user_id)} ${event.role}`;
  }
}

const lists = new Intl.ListFormat('en', { type: 'conjunction' });
const listed = (names: string[]): string =>
  lists.format(names.length > 5 ? [...names.slice(0, 4), `${names.length - 4} others`] : names);
