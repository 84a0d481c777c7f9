import type { Control, Page } from './page.ts'
import { readPage } from './page.ts'
import { CannotCheck } from './report.ts'
import type { Answer, RequestOptions, Visit, Visitor } from './visitor.ts'

/** What begins a login. */
export type LoginControl =
  /** A button or a link of the page, found anew in each visit, as its hidden fields may differ. */
  | { readonly kind: 'on-page'; readonly provider: string | undefined }
  /** A form that the operator described. */
  | { readonly kind: 'given'; readonly action: URL; readonly fields: Control['fields'] }
  /** The page itself, which leads to the provider. */
  | { readonly kind: 'page-itself' }

/** Where a login begins, and how. */
export interface LoginPlace {
  readonly site: { readonly providers: readonly string[] }
  /** The page with the login buttons. */
  readonly loginUrl: URL
  /** The service's PUBLIC_URL. */
  readonly service: URL
  readonly control: LoginControl
  /** Real states and codes, which must not be found in logs. */
  readonly secrets: Set<string>
}

/** A login that the site has begun. */
export interface BegunLogin {
  /** Which of the two ways of the service the site uses: the guide's requests, or OpenID Connect. */
  readonly door: 'guide' | 'openid'
  /** The provider's address. */
  readonly authorizeUrl: URL
  /** What the site compares. */
  readonly state: string
  /** By which the service knows the login: the same at the guide's door. */
  readonly serviceState: string
}

const loginWords = /log.?in|log.?on|sign.?in|auth|connect|войти|вход|авториз/i
const otherWords = /log.?out|sign.?out|выйти|выход|logoff|register|sign.?up|регистрац|forgot|password|парол/i

/** The buttons and links of a page that begin a login through the service, the likeliest first. */
function candidates(
  page: Page,
  providers: readonly string[],
): { readonly control: Control; readonly provider: string | undefined }[] {
  const forms = page.controls.filter(
    ({ fields, label, action }) =>
      !otherWords.test(`${label} ${action.pathname}`) &&
      !fields.some(([name]) => /pass(word|wd)?$|парол/i.test(name)),
  )
  const found = forms.map((control) => {
    const words = [control.label, control.action.href, ...control.fields.flat()].join(' ').toLowerCase()
    const provider = providers.find((name) => new RegExp(`(^|[^a-z])${name}([^a-z]|$)`).test(words))
    return { control, provider, likely: loginWords.test(`${control.label} ${control.action.pathname}`) }
  })
  return [
    ...found.filter(({ provider, control }) => provider !== undefined && control.kind === 'form'),
    ...found.filter(({ provider, control }) => provider !== undefined && control.kind === 'link'),
    ...found.filter(({ provider, likely }) => provider === undefined && likely),
  ]
}

/**
 * Finds out how a login begins at the page.
 * @param providers those of the site, the wished one first
 * @throws {CannotCheck} where nothing on the page looks like it
 */
export function findLoginControl(visit: Visit, providers: readonly string[]): LoginControl {
  if (beganLogin(visit)) return { kind: 'page-itself' }
  const { last } = visit
  const [first] = candidates(readPage(last.body, last.url), providers)
  if (first === undefined)
    throw new CannotCheck(
      `The page ${last.url.origin}${last.url.pathname} (status ${last.status}) has no form, button or link that names one of ${providers.join(', ')} or says "log in". Name the page with the login buttons as --url, or what its button posts: --start URL --field NAME=VALUE.`,
    )
  return { kind: 'on-page', provider: first.provider }
}

/** The way in which a browser begins a login now. */
export type Press = Pick<Control, 'method' | 'action' | 'fields'> & { readonly kind: Control['kind'] }

/** Opens the page where a login begins, and gives what is to be pressed. @returns undefined where it is not there now */
export async function openLoginPage(
  place: Pick<LoginPlace, 'loginUrl' | 'control' | 'site'>,
  visitor: Visitor,
): Promise<Press | undefined> {
  const { control, loginUrl, site } = place
  if (control.kind === 'given') return { ...control, kind: 'form', method: 'POST' }
  if (control.kind === 'page-itself') return { kind: 'link', method: 'GET', action: loginUrl, fields: [] }
  const { last } = await visitor.open(loginUrl)
  const { provider } = control
  const names = provider === undefined ? site.providers : [provider]
  return candidates(readPage(last.body, last.url), names)[0]?.control
}

/** Presses it. A form by GET has its fields in the query. */
export function press(
  visitor: Visitor,
  { method, action, fields }: Press,
  options: RequestOptions = {},
): Promise<Visit> {
  if (method === 'POST') return visitor.open(action, { ...options, form: fields })
  return visitor.open(withQuery(action, fields), options)
}

function withQuery(action: URL, fields: Control['fields']): URL {
  if (fields.length === 0) return action
  const url = new URL(action)
  url.search = new URLSearchParams(fields.map(([name, value]) => [name, value])).toString()
  return url
}

/** Whether an address is an authorization request of the service to a provider (RFC 6749 §4.1.1). */
export function leadsToProvider({ searchParams }: URL, service: URL): boolean {
  const callback = searchParams.get('redirect_uri') ?? ''
  return searchParams.has('state') && callback.startsWith(`${service.origin}/api/v1/oauth/callback/`)
}

/** Whether a visit ended on the way to a provider, or out of all hosts with a state: a login has begun. */
export function beganLogin({ outside }: Visit): boolean {
  return outside?.url.searchParams.has('state') === true
}

/** The site began no login; the message says what it did. */
export class NotBegun extends Error {
  override readonly name = 'NotBegun'
  readonly answer: Answer | undefined

  constructor(message: string, answer?: Answer) {
    super(message)
    this.answer = answer
  }
}

/**
 * Begins a login at the site as this visitor, up to the provider.
 * @throws {NotBegun}
 * @throws {NoAnswer}
 */
export async function begin(place: LoginPlace, visitor: Visitor): Promise<BegunLogin> {
  const button = await openLoginPage(place, visitor)
  if (button === undefined) throw new NotBegun('the login button is not on the page')
  const pressed = await press(visitor, button)
  // At the standard door the service may first ask which provider it shall be.
  const { site, service } = place
  const visit =
    pressed.outside === undefined && pressed.last.url.origin === service.origin
      ? await choose(visitor, pressed, site.providers)
      : pressed
  const authorizeUrl = visit.outside?.url
  const serviceState = authorizeUrl?.searchParams.get('state')
  if (authorizeUrl === undefined || !serviceState) {
    const { url, status } = visit.last
    const where = `${url.origin}${url.pathname} answered ${status}`
    throw new NotBegun(`the button leads to no provider: ${where}`, visit.last)
  }
  const leaving = pressed.answers.find(({ location }) => location?.url.origin === service.origin)?.location
  const state = leaving?.url.searchParams.get('state') ?? serviceState
  for (const secret of [state, serviceState]) place.secrets.add(secret)
  return { door: leaving === undefined ? 'guide' : 'openid', authorizeUrl, state, serviceState }
}

async function choose(visitor: Visitor, pressed: Visit, providers: readonly string[]): Promise<Visit> {
  const { last } = pressed
  const links = readPage(last.body, last.url).controls
  const link = links.find(({ action }) => providers.includes(action.searchParams.get('provider') ?? ''))
  if (link === undefined) return pressed
  return visitor.open(link.action)
}
