import type { LoginHistory } from './history.ts'
import { rememberedFor, streamOf, streams } from './history.ts'
import type { LoginEntry } from './login-entry.ts'
import { recentLogins } from './recent-logins.ts'

/** The history in this process's memory, for development: gone with the process and shared with no other. */
export function createMemoryLoginHistory(): LoginHistory {
  const sites = new Map<string, Record<keyof typeof streams, LoginEntry[]>>()
  return {
    record(siteId, entry) {
      const site = sites.get(siteId) ?? { starts: [], logins: [] }
      sites.set(siteId, site)
      const name = streamOf(entry)
      if (site[name].push(entry) > streams[name]) site[name].shift()
    },
    async recent(siteId, filter) {
      const { starts, logins } = sites.get(siteId) ?? { starts: [], logins: [] }
      const since = Math.max(Date.now() - rememberedFor, filter.since ?? 0)
      return recentLogins([...starts, ...logins], { ...filter, since })
    },
  }
}
