import type { LoginEntry } from './entry.ts'
import type { RecentLogin, RecentLoginsFilter } from './query.ts'

/** How far each login of the last 24 hours got, for a site that asks why one of its logins failed. */
export interface LoginHistory {
  /** Stores the entry of one request, at its end. Never waits and never throws: an entry may be lost, a login may not. */
  record(siteId: string, entry: LoginEntry): void
  /** Sends what waits, and waits for what was sent: before the process ends. Never throws. */
  flush(): Promise<void>
  /**
   * The site's logins, newest start first.
   * @throws {StoreUnavailable}
   */
  recent(siteId: string, filter: RecentLoginsFilter): Promise<readonly RecentLogin[]>
}

/** Milliseconds for which an entry is stored. */
export const rememberedFor = 86_400_000

/**
 * Each site has two streams; the numbers are their capacities in entries. Anybody who knows a redirect URL can start
 * logins and open the callback with an invented response: such entries push out only each other.
 */
export const streams = { starts: 500, logins: 2_000 } as const

/** `logins` for the first return of the person and for a finish that passed its checks; `starts` for all else. */
export function streamOf({ request, steps }: LoginEntry): keyof typeof streams {
  const decisive = request === 'finish' ? 'claimed' : 'came_back'
  return steps.some(([step]) => step === decisive) ? 'logins' : 'starts'
}
