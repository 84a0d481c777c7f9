import { deleteSessionsOfSite } from '../../src/sessions/all-sessions.ts'
import { removeSite as remove } from '../../src/sites/store.ts'
import type { Database } from '../../src/storage/postgres.ts'

/** Removes a site with its sessions, as the command and the admin API do. */
export function removeSite(database: Database, id: string): Promise<void> {
  return remove(database, id, (siteId) => deleteSessionsOfSite(database, siteId))
}
