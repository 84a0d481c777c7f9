import type { Checkup, DoneLogin } from './checkup.ts'
import type { BegunLogin } from './login-page.ts'
import { begin } from './login-page.ts'
import type { Person } from './sandbox.ts'
import type { Visit, Visitor } from './visitor.ts'

/** A login up to the return, which nobody has opened yet. */
export interface PendingLogin {
  readonly visitor: Visitor
  readonly begun: BegunLogin
  readonly returned: URL
}

/**
 * Begins a login as a new visitor (or this one), and decides at the sandbox.
 * @param fault what goes wrong with this login, by a name of the sandbox's catalogue
 */
export async function loginUntilReturn(
  checkup: Checkup,
  decision: Person | 'refuses',
  visitor = checkup.visitor(),
  fault?: string,
): Promise<PendingLogin> {
  const { sandbox } = checkup
  if (sandbox === undefined) throw new Error('This case needs the sandbox.')
  const begun = await begin(checkup, visitor)
  const returned = await sandbox.decide(visitor, begun, decision, checkup.returnUrl, fault)
  const code = returned.searchParams.get('code')
  if (code !== null) checkup.secrets.add(code)
  return { visitor, begun, returned }
}

/** Opens the return as the provider sends a browser there. */
export function comeBack(visitor: Visitor, returned: URL): Promise<Visit> {
  return visitor.open(returned, { crossSite: true })
}

/** Anna, with words that are on no page by chance. */
export function usualPerson({ marker }: Pick<Checkup, 'marker'>): Person {
  return { id: '770001', login: 'anna.check', name: `Anna ${marker}`, email: `${marker}@mail.example` }
}

/** The login of the first case, which the cases after it look at. */
export function doneLogin({ login }: Checkup): DoneLogin {
  if (login === undefined) throw new Error('This case needs a login that has worked.')
  return login
}
