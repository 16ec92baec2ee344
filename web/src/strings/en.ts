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

  capsLock: 'Caps Lock is on.',

  expiredTitle: 'Your session has ended',
  expiredText: 'Sign in again to go on where you were. Drafts and unsent messages are kept.',

  conversations: 'Conversations',
  sections: { unread: 'Unread', pinned: 'Pinned', rest: 'Conversations' },
  noConversations: 'No conversations yet.',
  noConversationsHint: 'Find someone with the pencil button above, or press',
  newConversation: 'New conversation',
  search: 'Jump to…',
  draft: 'Draft:',
  hasDraft: 'draft',
  muted: 'muted',
  pin: 'Pin',
  unpin: 'Unpin',
  mute: 'Mute',
  unmute: 'Unmute',
  markRead: 'Mark as read',
  options: (name: string): string => `Options for ${name}`,
  resizeSidebar: 'Width of the sidebar',
  nothingOpen: 'Nothing open. Jump somewhere.',
  notMember: 'This conversation does not exist, or you are no longer in it.',
  backToList: 'Back to conversations',
  loading: 'Loading…',
  skipToList: 'Skip to conversations',
  skipToMessages: 'Skip to messages',
  skipToComposer: 'Skip to the message field',

  switcher: 'Jump to a conversation',
  switcherHint: 'Type a name',
  startWith: (name: string): string => `New conversation with ${name}`,
  nobodyHere: 'No conversation and nobody of that name.',

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

  settings: 'Settings',
  settingsSections: {
    profile: 'Profile',
    sessions: 'Sessions',
    appearance: 'Appearance',
    notifications: 'Notifications',
    shortcuts: 'Shortcuts',
  },
  save: 'Save',
  saved: 'Saved.',
  displayNameHint: 'What others see, up to 64 characters.',
  displayNameMissing: 'Enter a name.',
  changePassword: 'Change password',
  currentPassword: 'Current password',
  newPassword: 'New password',
  passwordChanged: 'Password changed. Your other sessions are signed out.',
  sessionsHint: 'Every browser and device that is signed in. End those you do not know.',
  thisSession: 'this one',
  lastSeen: (when: string): string => `last seen ${when}`,
  revoke: 'Sign out',
  revokeOne: (label: string): string => `Sign out ${label}`,
  density: 'Density',
  densities: { compact: 'Compact', comfortable: 'Comfortable' },
  textSize: 'Text size',
  textSizes: { small: 'Small', normal: 'Normal', large: 'Large' },
  sendWith: 'Send with',
  sendKeys: { enter: 'Enter', mod: 'Ctrl or Cmd + Enter' },
  turnOnNotifications: 'Turn on notifications',
  turnOffNotifications: 'Turn off notifications',
  notificationsOn: 'Notifications are on: they come when no tab of Parley has the focus.',
  notificationsOff: 'Be told of new messages while you are elsewhere.',
  notificationsDenied:
    'Your browser blocks notifications of this page. Allow them in its settings for this site, then reload.',
  notificationsUnavailable: 'Notifications need a secure (https) address.',
  sound: 'Play a short sound for new messages',
  deleteAccount: 'Delete my account',
  deleteAccountText:
    'You leave your groups and your name becomes free. What you wrote stays, without your name. This cannot be undone.',
  deleteAccountConfirm: 'Delete for good',

  groupInfo: 'Group info',
  membersTitle: 'Members',
  roles: { owner: 'Owner', admin: 'Admin', member: 'Member' },
  roleOf: (name: string): string => `Role of ${name}`,
  rename: 'Rename',
  addPeople: 'Add people',
  addSelected: 'Add',
  removeMember: (name: string): string => `Remove ${name}`,
  removeMemberTitle: 'Remove from the group?',
  removeMemberText: (name: string): string => `${name} will not see what is written from now on.`,
  leave: 'Leave group',
  leaveTitle: 'Leave this group?',
  leaveText: 'You will not see what is written from now on, and someone has to add you again.',
  loadMore: 'Show more',

  findPeople: 'Find people',
  findPeopleHint: 'Type a name. Choose one person, or several for a group.',
  findMembersHint: 'Type a name.',
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
  failedToSend: (count: number): string =>
    count === 1 ? 'A message could not be sent.' : `${count} messages could not be sent.`,
  retryAll: 'Retry all',
  updateReady: 'Update ready',

  messages: 'Messages',
  loadOlder: 'Load older messages',
  loadFailed: 'Older messages could not be loaded.',
  openFailed: 'Messages could not be loaded.',
  gap: 'Load the messages between',
  gapFailed: 'These messages could not be loaded. Try again',
  tryAgain: 'Try again',
  beginning: 'This is the beginning of the conversation.',
  sayHello: (name: string): string => `Say hello to ${name}.`,
  newDivider: 'New',
  deleted: 'Message deleted',
  edited: 'edited',
  waiting: 'Sending',
  waitingForConnection: 'Waiting for connection',
  sent: 'Sent',
  notSent: 'Not sent',
  seen: (time: string): string => (time === '' ? 'Seen' : `Seen ${time}`),
  seenByTitle: 'Read up to here',
  seenBy: (names: string[]): string => `Read up to here: ${listed(names)}`,
  retry: 'Retry',
  discard: 'Delete',
  toLatest: 'Jump to latest',
  newBelow: (count: number): string => (count === 1 ? '1 new message' : `${count} new messages`),
  notHere: 'That message is not here any more, or not for you.',
  earlier: 'An earlier message',
  toOriginal: (name: string): string => `Jump to the original message by ${name}`,
  actions: 'Message actions',
  reply: 'Reply',
  edit: 'Edit',
  more: 'More actions',
  copyText: 'Copy text',
  copyLink: 'Copy link',
  copied: 'Copied.',
  notCopied: 'The browser did not allow copying.',
  markUnread: 'Mark unread from here',
  remove: 'Delete',
  removeTitle: 'Delete this message?',
  removeText: 'It is deleted for everyone. This cannot be undone.',

  composer: (name: string): string => `Message ${name}`,
  composerHint: 'Enter sends, Shift+Enter breaks the line.',
  send: 'Send',
  saveEdit: 'Save the change',
  editingMessage: 'Editing your message',
  replyingTo: (name: string): string => `Replying to ${name}`,
  cancelReply: 'Cancel the reply',
  cancelEdit: 'Cancel the change',
  emoji: 'Emoji',
  left: (count: number): string => `${count} characters left`,
  tooLong: (count: number): string =>
    `${count} ${count === 1 ? 'character' : 'characters'} too many`,

  typing: ([first = '', second = '', ...others]: string[]): string => {
    if (second === '') return first === '' ? '' : `${first} is typing`;
    if (others.length === 0) return `${first} and ${second} are typing`;
    return `${others.length + 2} people are typing`;
  },

  unreadWord: 'unread',
  unread: (count: number): string => `${badge(count)} unread`,
  presence: { online: 'online', away: 'away', offline: 'offline', unknown: '' },
  members: (count: number): string => `${count} ${count === 1 ? 'member' : 'members'}`,
  notifications: 'Notifications',
  said: (name: string, words: string): string => `${name}: ${words}`,
  missed: (count: number): string =>
    count === 1
      ? 'One message came while you were away.'
      : `${count} messages came while you were away.`,
  messagesFrom: (count: number, name: string): string => `${count} messages from ${name}`,
  allRead: 'Everything is marked as read.',
  undo: 'Undo',
  caughtUp: 'You’re all caught up.',
  someone: 'Someone',
  you: 'You',
  yourself: 'you',

  shortcuts: 'Keyboard shortcuts',
  keyNames: {
    switcher: 'Jump to a conversation',
    previous: 'Previous conversation',
    next: 'Next conversation',
    previousUnread: 'Previous unread conversation',
    nextUnread: 'Next unread conversation',
    settings: 'Settings',
    shortcuts: 'All shortcuts',
    nextRegion: 'Next part of the page',
    previousRegion: 'Previous part of the page',
    toasts: 'To the notifications',
    readAll: 'Mark the conversation read, to the end',
    everythingRead: 'Mark everything read',
  },
  otherKeys: [
    ['↑', 'Edit your last message, in an empty field'],
    ['↑ ↓', 'Move by message, in the list'],
    ['Enter', 'Actions of a message'],
    ['R E C Del', 'Reply, edit, copy, delete a message'],
    [':name', 'Find an emoji while writing'],
  ],
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
