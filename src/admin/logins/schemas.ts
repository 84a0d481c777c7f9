import { Type } from 'typebox'
import { loginExample, SiteLogins, SiteLoginsQuery } from '../../login-history/routes.ts'
import { searchText } from '../pagination.ts'

export const AdminLoginsQuery = Type.Object(
  {
    site: Type.Optional(searchText(64, "Of this site; without it all sites' are read, which takes longer")),
    ...SiteLoginsQuery.properties,
  },
  { additionalProperties: false },
)

const login = SiteLogins.properties.logins.items

/** Logins of the last 24 hours, of one site or of all. */
export const AdminLogins = Type.Object(
  { logins: Type.Array(Type.Object({ site_id: Type.String(), ...login.properties })) },
  {
    $id: 'AdminLogins',
    description: 'Newest start first',
    examples: [{ logins: [{ site_id: 'site_b3X9c1QdRk0Z', ...loginExample }] }],
  },
)
