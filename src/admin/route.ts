import type { Deadlines } from '../deadlines.ts'
import { problemResponses } from '../http/openapi.ts'
import type { LoginHistory } from '../login-history/store.ts'
import type { ProblemName } from '../problems/table.ts'
import type { ProviderRegistry } from '../providers/registry.ts'
import type { Sites } from '../sites/lookup.ts'
import type { SiteRules } from '../sites/validate.ts'
import type { Database } from '../storage/postgres.ts'

/** What the routes of the admin API work with. */
export interface AdminServices {
  readonly database: Database
  /** What may be registered in this deployment. */
  readonly rules: SiteRules
  /** The sites as the logins see them: at most 2 s behind the database. */
  readonly sites: Sites
  readonly providers: ProviderRegistry
  readonly history: LoginHistory
  readonly callbackUrl: (provider: string) => string
  /** The check of a provider may take as long as a finish. */
  readonly deadlines: Pick<Deadlines, 'finish'>
}

/** The security requirement of every route, for the OpenAPI document. */
export const security = [{ adminToken: [] }]

/** The documented error responses of a route: its own, and those that every route of the admin API has. */
export function adminFailures(...names: ProblemName[]): Record<number, object> {
  return problemResponses('admin-token-required', 'rate-limited', ...names)
}

/** The further problems of a route with a query. */
export const queryFailures: ProblemName[] = ['invalid-parameter', 'repeated-parameter']

/** A time in ISO 8601 for a JSON response; null stays null. */
export function isoOrNull(time: Date | null): string | null {
  return time?.toISOString() ?? null
}
