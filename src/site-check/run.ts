import type { Case, Checkup, Verdict } from './checkup.ts'
import { failed, skipped } from './checkup.ts'
import { errorCases, traceCases } from './error-cases.ts'
import { loginCases } from './login-cases.ts'
import { NotBegun } from './login-page.ts'
import { peopleCases } from './person-cases.ts'
import { providerCases } from './provider-cases.ts'
import type { CaseResult } from './report.ts'
import { CannotCheck } from './report.ts'
import { returnCases } from './return-cases.ts'
import { sessionCases } from './session-cases.ts'
import { proofCases, startCases } from './start-cases.ts'
import { NoAnswer } from './visitor.ts'

/** Every point, in the order in which they are tried: some look at what earlier ones have left. */
export const cases: readonly Case[] = [
  ...startCases,
  ...returnCases,
  ...loginCases,
  ...providerCases,
  ...sessionCases,
  ...peopleCases,
  ...proofCases,
  ...errorCases,
  ...traceCases,
]

/** How the points are tried. */
export interface RunOptions {
  /** Is told before each point. */
  readonly progress: (done: number, of: number, title: string) => void
  /** Milliseconds after which no further point is begun. */
  readonly limit: number
}

/**
 * Tries all points one after the other.
 * @throws {CannotCheck} where service or sandbox do not answer
 */
export async function runCases(checkup: Checkup, { progress, limit }: RunOptions): Promise<CaseResult[]> {
  const end = performance.now() + limit
  const results: CaseResult[] = []
  for (const one of cases) {
    progress(results.length, cases.length, one.title)
    const verdict =
      performance.now() > end
        ? skipped(`the check took longer than ${limit / 1000} s`)
        : await tried(one, checkup)
    results.push(resultOf(one, verdict, checkup))
  }
  return results
}

async function tried({ needs, run }: Case, checkup: Checkup): Promise<Verdict> {
  const missing = needs && whatIsMissing(needs, checkup)
  if (missing !== undefined) return skipped(missing)
  try {
    return await run(checkup)
  } catch (error) {
    if (error instanceof NotBegun) return failed(`a login cannot be begun: ${error.message}`)
    if (!(error instanceof NoAnswer)) throw error
    if (isOfSite(error.url, checkup)) return failed(error.message)
    throw new CannotCheck(`${error.message}: service and sandbox must run while the site is checked.`)
  }
}

function whatIsMissing(needs: NonNullable<Case['needs']>, checkup: Checkup): string | undefined {
  if (!checkup.begun) return 'it needs a login that begins, see login-begins'
  if (needs === 'begin') return undefined
  if (checkup.sandbox === undefined)
    return 'it needs whole logins, which the check can do only in a sandbox: run it against a service in development, with --sandbox URL'
  return needs === 'login' && checkup.login === undefined
    ? 'it needs a login that works, see login-works'
    : undefined
}

function isOfSite({ origin }: URL, { service, sandbox }: Checkup): boolean {
  return origin !== service.origin && origin !== sandbox?.url.origin
}

function resultOf({ id, group, title, why, change }: Case, verdict: Verdict, checkup: Checkup): CaseResult {
  const { status } = verdict
  if (status === 'passed') return { id, group, title, status }
  if (status === 'skipped') return { id, group, title, status, reason: verdict.reason }
  const seen = withoutSecrets(verdict.seen, checkup)
  return { id, group, title, status, seen, why, change: verdict.change ?? change }
}

/** What was seen may quote a page of the site, which may show anything. */
function withoutSecrets(text: string, { secrets }: Checkup): string {
  return [...secrets].reduce((left, secret) => left.replaceAll(secret, '…'), text)
}
