import { isLoopback } from '../providers/settings.ts'
import type { BegunLogin } from './login-page.ts'
import { readPage } from './page.ts'
import { CannotCheck } from './report.ts'
import type { Answer, Visitor } from './visitor.ts'
import { NoAnswer } from './visitor.ts'

/** A person who logs in. */
export interface Person {
  readonly id: string
  readonly login: string
  readonly name: string
  /** '' for an account without one. */
  readonly email: string
}

/** What a person decides at the provider. */
export type Decision = Person | 'refuses'

/** What goes wrong with one login, by the names of the sandbox's catalogue. */
export type Fault = 'error-500' | 'long-code' | 'busy'

/** The sandbox of a service in development: doubles of its providers. */
export class Sandbox {
  readonly url: URL
  private readonly visitor: Visitor

  /** @param visitor a browser that may go to the sandbox alone */
  constructor(url: URL, visitor: Visitor) {
    this.url = url
    this.visitor = visitor
  }

  /** Whether it is there. */
  async answers(): Promise<boolean> {
    try {
      return (await this.visitor.request(new URL('/', this.url))).status < 500
    } catch (error) {
      if (error instanceof NoAnswer) return false
      throw error
    }
  }

  /**
   * Does what the person does at the provider, and follows the browser over the service's callback.
   * @param visitor the person's browser
   * @param returnUrl the site's registered return address
   * @param fault what the provider does wrong, in this login alone
   * @returns the return address with its parameters, which nobody has opened yet
   * @throws {CannotCheck} where the login does not come back there
   */
  async decide(
    visitor: Visitor,
    begun: BegunLogin,
    decision: Decision,
    returnUrl: string,
    fault?: Fault,
  ): Promise<URL> {
    const authorizeUrl = new URL(begun.authorizeUrl)
    if (fault !== undefined) authorizeUrl.searchParams.append('sandbox_fault', fault)
    if (!isSameHost(authorizeUrl, this.url))
      throw new CannotCheck(
        `The login leads to ${authorizeUrl.origin}, not to the sandbox at ${this.url.origin}: does the site use the service at PUBLIC_URL, and does that use the sandbox?`,
      )
    // A busy provider asks nobody.
    const form = fault === 'busy' ? undefined : formOf(decision)
    const decided = await visitor.request(authorizeUrl, form && { form })
    const called = await this.#toCallback(visitor, decided)
    const { location } = called
    if (location === undefined || !location.raw.startsWith(returnUrl))
      throw new CannotCheck(
        `The service answered ${called.status} to the callback, and does not lead to ${returnUrl}: register the return address that the site uses, or name it by --return-url.`,
      )
    return location.url
  }

  /** A provider answers by a redirect, or by a form that the browser posts by itself. */
  async #toCallback(visitor: Visitor, { location, url, body, status }: Answer): Promise<Answer> {
    if (location !== undefined) return visitor.request(location.url, { crossSite: true })
    const [form] = readPage(body, url).controls
    if (form?.method !== 'POST')
      throw new CannotCheck(`The sandbox answered ${status} to a login, and did not lead back.`)
    return visitor.request(form.action, { form: form.fields, crossSite: true, origin: url.origin })
  }
}

/** What the page of the double posts. */
function formOf(decision: Decision): [string, string][] {
  if (decision === 'refuses') return [['decision', 'deny']]
  return [['decision', 'allow'], ['person', 'own'], ...Object.entries(decision), ['emailVerified', 'yes']]
}

/** Whether two addresses are one server: names of this computer are equal. */
function isSameHost(one: URL, other: URL): boolean {
  const name = ({ hostname }: URL) => (isLoopback(hostname) ? 'loopback' : hostname)
  return one.protocol === other.protocol && one.port === other.port && name(one) === name(other)
}
