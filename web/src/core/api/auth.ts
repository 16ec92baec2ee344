import type { Clock } from '../clock';
import { ApiError, type Call, call, NoAnswer } from './http';

/** The session has ended: only a new login helps. */
export class SignedOut extends Error {
  constructor() {
    super('You are signed out.');
    this.name = 'SignedOut';
  }
}

export interface Grant {
  access_token: string;
  expires_in: number;
}

/** Runs a task while no other tab runs one of the same name. */
export type Exclusive = <T>(task: () => Promise<T>) => Promise<T>;

/** A token this close to its end is renewed before it is used. */
const MARGIN_MS = 10_000;
const RETRY_MS = 5_000;

/** Keeps a valid access token, in memory only; the refresh token is a cookie this code cannot see. */
export class Auth {
  private token: string | undefined;
  private expiresAt = 0;
  private refreshing: Promise<string> | undefined;
  private cancelRenewal = (): void => {};
  /** Told of every token that replaces an earlier one. */
  onRenewed: (token: string) => void = () => {};

  constructor(
    private readonly clock: Clock,
    private readonly exclusively: Exclusive,
    private readonly send: typeof call = call,
  ) {}

  adopt(grant: Grant): void {
    const lifetime = grant.expires_in * 1000;
    this.token = grant.access_token;
    this.expiresAt = this.clock.now() + lifetime;
    this.renewIn(Math.max(lifetime * 0.75, lifetime - 120_000));
  }

  forget(): void {
    this.cancelRenewal();
    this.token = undefined;
  }

  /** The server no longer takes the token it gave. */
  invalidate(): void {
    this.expiresAt = 0;
  }

  /** A request as the signed-in user; a refused token is renewed and tried once more. */
  async request<T>(path: string, options: Call = {}): Promise<T> {
    const token = await this.valid();
    try {
      return await this.send<T>(path, { ...options, token });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      return await this.send<T>(path, { ...options, token: await this.refresh(token) });
    }
  }

  private async valid(): Promise<string> {
    if (this.token !== undefined && this.clock.now() < this.expiresAt - MARGIN_MS)
      return this.token;
    return await this.refresh(this.token);
  }

  /** Gets a token other than `refused`; callers at the same time share one request. */
  private refresh(refused: string | undefined): Promise<string> {
    if (this.token !== undefined && this.token !== refused) return Promise.resolve(this.token);
    this.refreshing ??= this.exclusively(() => this.renew()).finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  private async renew(): Promise<string> {
    try {
      const grant = await this.send<Grant>('/auth/refresh', { method: 'POST', body: {} });
      this.adopt(grant);
      this.onRenewed(grant.access_token);
      return grant.access_token;
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
        this.forget();
        throw new SignedOut();
      }
      throw error;
    }
  }

  private renewIn(ms: number): void {
    this.cancelRenewal();
    this.cancelRenewal = this.clock.after(ms, () => {
      this.refresh(this.token).catch((error: unknown) => {
        const passing = error instanceof NoAnswer || error instanceof ApiError;
        if (passing) this.renewIn(RETRY_MS);
      });
    });
  }
}
