import type { LoginEntry } from './entry.ts'
import type { RecentLogin, RecentLoginsFilter } from './query.ts'

/** Where the logins of the last 24 hours got to, for the site that asks "where did this one die?". */
export interface LoginHistory {
  /** Remembers one request at its end. Never waits, never throws: an entry may get lost, a login may not. */
  record(siteId: string, entry: LoginEntry): void
  /**
   * The site's logins, newest start first.
   * @throws {StoreUnavailable}
   */
  recent(siteId: string, filter: RecentLoginsFilter): Promise<readonly RecentLogin[]>
}

/** Milliseconds. */
export const rememberedFor = 86_400_000

/**
 * A site has two streams, each with its capacity in entries. Anybody who knows a redirect URL can start logins, and
 * open our callback with a made-up answer: such entries push out only one another.
 */
export const streams = { starts: 500, logins: 2_000 } as const

/** `logins`: the person came back for the first time, or a finish passed its checks. */
export function streamOf({ request, steps }: LoginEntry): keyof typeof streams {
  const telling = request === 'finish' ? 'claimed' : 'came_back'
  return steps.some(([step]) => step === telling) ? 'logins' : 'starts'
}
