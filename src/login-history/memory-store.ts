import type { LoginEntry } from './entry.ts'
import { recentLogins } from './query.ts'
import type { LoginHistory } from './store.ts'
import { rememberedFor, streamOf, streams } from './store.ts'

/** The history in the memory of this process, for development: it ends with the process, and no other process sees it. */
export function createMemoryLoginHistory(): LoginHistory {
  const sites = new Map<string, Record<keyof typeof streams, LoginEntry[]>>()
  return {
    record(siteId, entry) {
      const site = sites.get(siteId) ?? { starts: [], logins: [] }
      sites.set(siteId, site)
      const name = streamOf(entry)
      if (site[name].push(entry) > streams[name]) site[name].shift()
    },
    flush: async () => {},
    async recent(siteId, filter) {
      const { starts, logins } = sites.get(siteId) ?? { starts: [], logins: [] }
      const since = Math.max(Date.now() - rememberedFor, filter.since ?? 0)
      return recentLogins([...starts, ...logins], { ...filter, since })
    },
  }
}
