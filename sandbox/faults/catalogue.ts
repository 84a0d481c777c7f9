import type { DemoFault } from '../demo-site/demo-fault.ts'
import type { LoginFault } from '../doubles/login-fault.ts'
import type { CommonSwitches, ProviderRules } from '../doubles/provider-rules.ts'
import type { DetourName } from './detours.ts'
import type { Expectation, Judge } from './expectation.ts'
import {
  explained,
  explainedAndKept,
  explainedWithoutFinish,
  finishedOnce,
  loggedIn,
  loggedInAs,
  loggedInBesideAnother,
  offeredAgain,
  refused,
  refusedThenLoggedIn,
  refusedThePrefetch,
} from './expectation.ts'

/** Where a fault lies. */
export const faultGroups = ['person', 'provider', 'browser', 'site'] as const
export type FaultGroup = (typeof faultGroups)[number]

/** A fault: how it is played, what the site sees of it, and how the demo site is judged. Its texts are in en.ts and ru.ts. */
interface FaultRow {
  readonly group: FaultGroup
  readonly sees: Expectation
  readonly judge: Judge
  /** How the double plays it. */
  readonly login?: LoginFault
  /** What happens on the way back from the double. */
  readonly detour?: DetourName
  /** How the demo site plays it: the sandbox cannot do that to another site. */
  readonly demo?: DemoFault
  /** What a provider must have for it. */
  readonly needs?: 'email' | 'id-token' | 'userinfo'
}

const finish = (problem?: Extract<Expectation, { at: 'finish' }>['problem']): Expectation => ({
  at: 'finish',
  ...(problem !== undefined && { problem }),
})

/** A name of 4,000 letters without a blank, in which no browser finds a place to break the line. */
const longName = 'Wolfeschlegelsteinhausenbergerdorff'.repeat(115).slice(0, 4_000)

/** A code of 4,000 characters, some of which have to be encoded in a URL and must come back as they were. */
const longCode = `4/0A+${'long-code_'.repeat(400)}`.slice(0, 3_998).concat('/=')

/** The override of direction (U+202E) makes a careless page show the text after it backwards. */
const rightToLeftName = '\u202Eשרה כהן'

/** The address to which the person changed. */
const changedEmail = 'anna.renamed@mail.example'

/** Every fault of the sandbox, by its id, which never changes: sites name them in their tests. */
export const catalogue = {
  refuses: {
    group: 'person',
    sees: { at: 'return', error: 'access_denied' },
    judge: explainedWithoutFinish,
    login: { switches: { refuseWith: 'access_denied' } },
  },
  'returns-after-an-hour': {
    group: 'person',
    sees: { at: 'return', error: 'login_expired' },
    judge: explainedWithoutFinish,
    detour: 'an-hour',
  },
  'clicks-twice': {
    group: 'person',
    sees: { at: 'callback', problem: 'code-mismatch' },
    judge: offeredAgain,
    detour: 'two-clicks',
  },
  'goes-back': {
    group: 'person',
    sees: finish(),
    judge: refusedThenLoggedIn,
    login: { refusedFirst: true },
  },
  'no-email': {
    group: 'person',
    sees: finish(),
    judge: loggedInAs(({ email }) => email === null),
    login: { person: { id: '2210000000000001', login: 'by.phone', email: null } },
    needs: 'email',
  },
  'no-name': {
    group: 'person',
    sees: finish(),
    judge: loggedInAs(({ name }) => name === null),
    login: { person: { id: '2210000000000002', login: '', name: '' } },
  },
  'changed-email': {
    group: 'person',
    sees: finish(),
    judge: loggedInAs(({ email }) => email === changedEmail),
    login: { person: { email: changedEmail } },
    needs: 'email',
  },
  'long-name': {
    group: 'person',
    sees: finish(),
    judge: loggedInAs(({ name }) => name !== null && name.length <= 255 && longName.startsWith(name)),
    login: { person: { id: '2210000000000003', login: 'long.name', name: longName } },
  },
  'rtl-name': {
    group: 'person',
    sees: finish(),
    judge: loggedInAs(({ name }) => name !== null && /^[\u0590-\u05FF ]+$/.test(name)),
    login: { person: { id: '2210000000000004', login: 'sarah', name: rightToLeftName } },
  },

  slow: { group: 'provider', sees: finish(), judge: loggedIn, login: { tokenDelay: 3_000 } },
  hangs: {
    group: 'provider',
    sees: finish('provider-timeout'),
    judge: explained,
    login: { endpoints: { token: 'hang' } },
  },
  'error-500': {
    group: 'provider',
    sees: finish('provider-error'),
    judge: explained,
    login: { endpoints: { token: '500-json' } },
  },
  'too-many-requests': {
    group: 'provider',
    sees: finish('provider-unavailable'),
    judge: explainedAndKept,
    login: { endpoints: { token: '429' } },
  },
  rubbish: {
    group: 'provider',
    sees: finish('provider-invalid-response'),
    judge: explained,
    login: { endpoints: { token: '200-html' } },
  },
  'wrong-issuer': {
    group: 'provider',
    sees: finish('provider-invalid-response'),
    judge: explained,
    login: { switches: { idToken: 'wrong-iss' } },
    needs: 'id-token',
  },
  'rotated-keys': {
    group: 'provider',
    sees: finish(),
    judge: loggedIn,
    detour: 'new-keys',
    needs: 'id-token',
  },
  'code-used-twice': {
    group: 'provider',
    sees: finish('code-rejected'),
    judge: explained,
    login: { codeSpent: true },
  },
  'long-code': { group: 'provider', sees: finish(), judge: loggedIn, login: { code: longCode } },
  'expired-code': {
    group: 'provider',
    sees: finish('code-rejected'),
    judge: explained,
    login: { switches: { codeLifetime: 0 } },
  },
  busy: {
    group: 'provider',
    sees: { at: 'return', error: 'temporarily_unavailable' },
    judge: explainedWithoutFinish,
    login: { switches: { refuseWith: 'temporarily_unavailable' } },
  },
  'application-secret': {
    group: 'provider',
    sees: finish('provider-misconfigured'),
    judge: explained,
    login: { switches: { forgetClient: true } },
  },
  'connection-reset': {
    group: 'provider',
    sees: finish('provider-error'),
    judge: explained,
    login: { endpoints: { token: 'reset' } },
  },
  'profile-error': {
    group: 'provider',
    sees: finish('provider-error'),
    judge: explained,
    login: { endpoints: { userinfo: '503-html' } },
    needs: 'userinfo',
  },
  'profile-slow': {
    group: 'provider',
    sees: finish('provider-timeout'),
    judge: explained,
    login: { endpoints: { userinfo: 'slow-body' } },
    needs: 'userinfo',
  },
  'two-codes': {
    group: 'provider',
    sees: { at: 'callback', problem: 'repeated-parameter' },
    judge: offeredAgain,
    login: { switches: { callback: 'repeated-code' } },
  },
  'no-state': {
    group: 'provider',
    sees: { at: 'callback', problem: 'missing-parameter' },
    judge: offeredAgain,
    login: { switches: { callback: 'no-state' } },
  },

  prefetch: { group: 'browser', sees: finish(), judge: refusedThePrefetch, detour: 'prefetch' },
  'lost-session': {
    group: 'browser',
    sees: { at: 'session' },
    judge: refused,
    demo: 'lose-session',
  },
  'two-tabs': { group: 'browser', sees: finish(), judge: loggedInBesideAnother, demo: 'second-tab' },
  'in-app-browser': {
    group: 'browser',
    sees: { at: 'callback', problem: 'missing-parameter' },
    judge: offeredAgain,
    detour: 'no-parameters',
  },
  'repeated-return': { group: 'browser', sees: finish(), judge: finishedOnce, detour: 'return-twice' },

  'wrong-secret': {
    group: 'site',
    sees: finish('wrong-credentials'),
    judge: explainedAndKept,
    demo: 'wrong-secret',
  },
  'wrong-state': { group: 'site', sees: { at: 'session' }, judge: refused, detour: 'state-of-another' },
  'late-finish': { group: 'site', sees: finish('login-expired'), judge: explained, detour: 'finish-late' },
} as const satisfies Readonly<Record<string, FaultRow>>

/** The id of a fault. */
export type FaultId = keyof typeof catalogue

/** Every fault, in the order of the catalogue. */
export const faultIds: readonly FaultId[] = Object.keys(catalogue).filter(isFaultId)

/** Whether there is a fault with this id. */
export function isFaultId(id: string): id is FaultId {
  return Object.hasOwn(catalogue, id)
}

/** The row of a fault. */
export function faultOf(id: FaultId): FaultRow {
  return catalogue[id]
}

/** Whether a provider can have this fault: some tell no email, and not all send ID tokens. */
export function isPossibleAt<S extends CommonSwitches>(id: FaultId, rules: ProviderRules<S>): boolean {
  switch (faultOf(id).needs) {
    case 'email':
      return rules.gives.includes('email')
    case 'id-token':
      return rules.routes.some(({ endpoint }) => endpoint === 'jwks')
    case 'userinfo':
      return rules.paths.userinfo !== undefined
    default:
      return true
  }
}
