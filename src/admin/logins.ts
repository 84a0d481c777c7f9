import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { jsonResponse } from '../http/openapi.ts'
import type { RecentLogin, RecentLoginsFilter } from '../login-history/query.ts'
import { filterOf, loginExample, loginToJson, SiteLogins, SiteLoginsQuery } from '../login-history/routes.ts'
import type { LoginHistory } from '../login-history/store.ts'
import { getSite, listSites } from '../sites/store.ts'
import { searchText } from './pagination.ts'
import type { AdminServices } from './route.ts'
import { adminFailures, queryFailures, security } from './route.ts'

const AdminLoginsQuery = Type.Object(
  {
    site: Type.Optional(searchText(64, "Of this site; without it all sites' are read, which takes longer")),
    ...SiteLoginsQuery.properties,
  },
  { additionalProperties: false },
)

const login = SiteLogins.properties.logins.items

/** Logins of the last 24 hours, of one site or of all. */
const AdminLogins = Type.Object(
  { logins: Type.Array(Type.Object({ site_id: Type.String(), ...login.properties })) },
  {
    $id: 'AdminLogins',
    description: 'Newest start first',
    examples: [{ logins: [{ site_id: 'site_b3X9c1QdRk0Z', ...loginExample }] }],
  },
)

/** How many histories are read at the same time; few, so that running logins do not wait for this. */
const atOnce = 5

/** Where did this login fail? For the operator, over all sites. */
export const adminLoginRoutes: FastifyPluginAsyncTypebox<AdminServices> = async (
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
        security,
        querystring: AdminLoginsQuery,
        response: {
          200: jsonResponse('The logins', AdminLogins),
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
      return { logins: logins.map(({ siteId, login }) => ({ site_id: siteId, ...loginToJson(login) })) }
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
