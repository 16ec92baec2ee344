import type { Letter, Shelf } from '../core/outbox/outbox';
import type { Kept } from '../core/sync/kept';
import type { ChatShelf } from './persist';

const VERSION = 2;
const OUTBOX = 'outbox';
const CHATS = 'chats';

const nameOf = (user: string): string => `parley.${user}`;

/** What another build has kept may have another shape. */
const build = (): string =>
  document.querySelector('script[src*="/assets/index-"]')?.getAttribute('src') ?? '';

/** A user's database in this browser; every call fails where there is none to be had. */
export class Database {
  private opened: Promise<IDBDatabase> | undefined;
  private erased = false;

  constructor(private readonly user: string) {}

  /** Letters are on the disk before they leave: a crash of the machine loses none. */
  shelf(): Shelf {
    return {
      all: () => this.run<Letter[]>(OUTBOX, 'readonly', (store) => store.getAll()),
      put: (letter) => this.run(OUTBOX, 'readwrite', (store) => store.put(letter)),
      remove: (id) => this.run(OUTBOX, 'readwrite', (store) => store.delete(id)),
    };
  }

  /** A copy of what the server has: a crash may take the newest of it. */
  chats(): ChatShelf {
    type Stored = Kept & { build: string };
    return {
      all: async () => {
        const all = await this.run<Stored[]>(CHATS, 'readonly', (store) => store.getAll());
        return all.filter((kept) => kept.build === build());
      },
      write: async (changed, ids) => {
        await this.run(CHATS, 'readwrite', (store) => {
          for (const kept of changed) store.put({ ...kept, build: build() } satisfies Stored);
          const keys = store.getAllKeys();
          keys.onsuccess = () => {
            for (const key of keys.result) {
              if (typeof key !== 'string' || !ids.has(key)) store.delete(key);
            }
          };
          return keys;
        });
      },
    };
  }

  /** Forgets everything of this user. */
  async erase(): Promise<void> {
    const database = await this.opened?.catch(() => undefined);
    database?.close();
    this.opened = undefined;
    await settled(() => indexedDB.deleteDatabase(nameOf(this.user))).catch(() => {});
  }

  private async run<T>(
    name: string,
    mode: IDBTransactionMode,
    ask: (store: IDBObjectStore) => IDBRequest,
  ): Promise<T> {
    // What is written now would bring it back.
    if (this.erased) throw new Error('erased by another tab');
    this.opened ??= this.open();
    const database = await this.opened;
    return await new Promise<T>((resolve, reject) => {
      const durability = name === OUTBOX ? 'strict' : 'relaxed';
      const transaction = database.transaction(name, mode, { durability });
      const request = ask(transaction.objectStore(name));
      transaction.oncomplete = () => resolve(request.result as T);
      transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
    });
  }

  private async open(): Promise<IDBDatabase> {
    const database = await settled(() => {
      const request = indexedDB.open(nameOf(this.user), VERSION);
      request.onupgradeneeded = () => {
        const { result } = request;
        const make = (name: string, keyPath: string): void => {
          if (!result.objectStoreNames.contains(name)) result.createObjectStore(name, { keyPath });
        };
        make(OUTBOX, 'client_msg_id');
        make(CHATS, 'conversation.id');
      };
      return request;
    });
    // Another tab signs out, or is of a newer build: do not stand in its way.
    database.onversionchange = ({ newVersion }) => {
      database.close();
      this.opened = undefined;
      this.erased = newVersion === null;
    };
    return database;
  }
}

const settled = <T>(start: () => IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const request = start();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('refused'));
  });
