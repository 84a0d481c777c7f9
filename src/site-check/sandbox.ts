import { CannotCheck } from './cannot-check.ts'
import type { BegunLogin } from './login-page.ts'
import { readPage } from './page.ts'
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
   * @param fault what goes wrong with this login, by a name of the sandbox's catalogue
   * @returns the return address with its parameters, which nobody has opened yet
   * @throws {CannotCheck} where the login does not come back there
   */
  async decide(
    visitor: Visitor,
    begun: BegunLogin,
    decision: Decision,
    returnUrl: string,
    fault?: string,
  ): Promise<URL> {
    const authorizeUrl = new URL(begun.authorizeUrl)
    if (fault !== undefined) authorizeUrl.searchParams.set('sandbox_fault', fault)
    if (!isSameHost(authorizeUrl, this.url))
      throw new CannotCheck(
        `The login leads to ${authorizeUrl.origin}, not to the sandbox at ${this.url.origin}: does the site use the service at PUBLIC_URL, and does that use the sandbox?`,
      )
    const person =
      decision === 'refuses' ? { decision: 'deny' } : { decision: 'allow', person: 'own', ...decision }
    const decided = await visitor.request(authorizeUrl, {
      form: [...Object.entries(person), ['emailVerified', 'yes']],
    })
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

/** Whether two addresses are one server: names of this computer are equal. */
function isSameHost(one: URL, other: URL): boolean {
  const name = ({ hostname }: URL) =>
    /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname) ? 'loopback' : hostname
  return one.protocol === other.protocol && one.port === other.port && name(one) === name(other)
}
