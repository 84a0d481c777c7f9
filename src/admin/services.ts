import type { Deadlines } from '../deadlines.ts'
import type { LoginHistory } from '../login-history/store.ts'
import type { ProviderRegistry } from '../providers/registry.ts'
import type { Sites } from '../sites/lookup.ts'
import type { SiteRules } from '../sites/validate.ts'
import type { Database } from '../storage/postgres.ts'

/** What the routes of the admin API stand on. */
export interface AdminServices {
  readonly database: Database
  /** What may be registered here. */
  readonly rules: SiteRules
  /** As the logins see them: at most 2 s behind the database. */
  readonly sites: Sites
  readonly providers: ProviderRegistry
  readonly history: LoginHistory
  readonly callbackUrl: (provider: string) => string
  /** A check of a provider may take as long as a finish. */
  readonly deadlines: Pick<Deadlines, 'finish'>
}
