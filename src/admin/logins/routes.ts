import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../http/openapi.ts'
import type { RecentLogin, RecentLoginsFilter } from '../../login-history/query.ts'
import type { LoginHistory } from '../../login-history/store.ts'
import { filterOf, shownLogin } from '../../login-history/to-json.ts'
import { getSite, listSites } from '../../sites/store.ts'
import { adminFailures, queryFailures } from '../problems.ts'
import type { AdminServices } from '../services.ts'
import { AdminLogins, AdminLoginsQuery } from './schemas.ts'

/** Sites whose history is read at once: the logins that run meanwhile shall not wait for this. */
const atOnce = 5

/** Where did this login die? For the operator, over all sites. */
export const adminLoginRoute: FastifyPluginAsyncTypebox<AdminServices> = async (
  app,
  { database, history },
) => {
  app.addSchema(AdminLogins)
  app.get(
    '/logins/',
    {
      schema: {
        operationId: 'listLogins',
        tags: ['Logins'],
        summary: 'The logins of the last 24 hours, step by step',
        security: [{ adminToken: [] }],
        querystring: AdminLoginsQuery,
        response: {
          200: { description: 'The logins', content: { 'application/json': { schema: ref(AdminLogins) } } },
          ...adminFailures(...queryFailures, 'site-not-found'),
        },
      },
    },
    async ({ query }) => {
      const { site, ...asked } = query
      const sites = site === undefined ? await listSites(database) : [await getSite(database, site)]
      const logins = await recentOf(
        sites.map(({ id }) => id),
        filterOf(asked),
        history,
      )
      return { logins: logins.map(({ siteId, login }) => ({ site_id: siteId, ...shownLogin(login) })) }
    },
  )
}

interface LoginAtSite {
  readonly siteId: string
  readonly login: RecentLogin
}

/** The newest of several sites' logins. */
async function recentOf(
  siteIds: readonly string[],
  filter: RecentLoginsFilter,
  history: LoginHistory,
): Promise<readonly LoginAtSite[]> {
  let newest: readonly LoginAtSite[] = []
  for (let from = 0; from < siteIds.length; from += atOnce) {
    const read = siteIds.slice(from, from + atOnce).map(async (siteId) => {
      const logins = await history.recent(siteId, filter)
      return logins.map((login) => ({ siteId, login }))
    })
    newest = [...newest, ...(await Promise.all(read)).flat()]
      .sort((one, other) => other.login.startedAt - one.login.startedAt)
      .slice(0, filter.limit)
  }
  return newest
}
