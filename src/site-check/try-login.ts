import type { Checkup, DoneLogin } from './checkup.ts'
import type { BegunLogin } from './login-page.ts'
import { begin } from './login-page.ts'
import type { Decision, Fault, Person } from './sandbox.ts'
import type { Visit, Visitor } from './visitor.ts'

/** A login up to the return, which nobody has opened yet. */
export interface PendingLogin {
  readonly visitor: Visitor
  readonly begun: BegunLogin
  readonly returned: URL
}

/** What is odd about a login: the browser is another than a new one, or the provider does something wrong. */
export interface LoginOptions {
  readonly visitor?: Visitor
  readonly fault?: Fault
}

/** Begins a login and decides at the sandbox. */
export async function loginUntilReturn(
  checkup: Checkup,
  decision: Decision,
  { visitor = checkup.visitor(), fault }: LoginOptions = {},
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
