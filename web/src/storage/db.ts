import type { Letter, Shelf } from '../core/outbox/outbox';

const VERSION = 1;
const OUTBOX = 'outbox';

const nameOf = (user: string): string => `parley.${user}`;

/** A user's database in this browser; every call fails where there is none to be had. */
export class Database {
  private opened: Promise<IDBDatabase> | undefined;

  constructor(private readonly user: string) {}

  /** Letters are on the disk before they leave: a crash of the machine loses none. */
  shelf(): Shelf {
    return {
      all: () => this.run<Letter[]>(OUTBOX, 'readonly', (store) => store.getAll()),
      put: (letter) => this.run(OUTBOX, 'readwrite', (store) => store.put(letter)),
      remove: (id) => this.run(OUTBOX, 'readwrite', (store) => store.delete(id)),
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
    this.opened ??= this.open();
    const database = await this.opened;
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(name, mode, { durability: 'strict' });
      const request = ask(transaction.objectStore(name));
      transaction.oncomplete = () => resolve(request.result as T);
      transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
    });
  }

  private async open(): Promise<IDBDatabase> {
    const database = await settled(() => {
      const request = indexedDB.open(nameOf(this.user), VERSION);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(OUTBOX, { keyPath: 'client_msg_id' });
      };
      return request;
    });
    // Another tab signs out, or is of a newer build: do not stand in its way.
    database.onversionchange = () => {
      database.close();
      this.opened = undefined;
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
