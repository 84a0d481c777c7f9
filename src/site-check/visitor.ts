import { CookieJar } from './cookie-jar.ts'

/** One answer to one request. */
export interface Answer {
  /** Where it came from. */
  readonly url: URL
  readonly status: number
  readonly headers: Headers
  /** At most a megabyte. */
  readonly body: string
  /** Where it redirects to, and that as it was written. */
  readonly location?: { readonly url: URL; readonly raw: string }
}

/** The answers to a request and to the redirects that were followed after it. */
export interface Visit {
  /** At least one. */
  readonly answers: readonly Answer[]
  readonly last: Answer
  /** The redirect that leads out of the hosts that the visitor may go to, and was not followed. */
  readonly outside?: { readonly url: URL; readonly raw: string }
}

/** How a request is made. */
export interface RequestOptions {
  readonly method?: 'GET' | 'HEAD' | 'POST'
  /** Posted as a form. */
  readonly form?: readonly (readonly [string, string])[]
  /** Whether a page of another site sends the browser here: cookies of `SameSite=Strict` then stay away. */
  readonly crossSite?: boolean
  /** The origin of the page with the form; of the address itself where none is named. */
  readonly origin?: string
}

/** No answer came, or no whole one. The message says why, and holds no query. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
  readonly url: URL

  constructor(url: URL, why: string) {
    super(`${url.origin}${url.pathname} ${why}`)
    this.url = url
  }
}

/** What all visitors have in common. */
export interface VisitorSettings {
  /** Milliseconds for each answer. */
  readonly timeout: number
  /** Whether a visitor follows a redirect to this address. */
  readonly mayVisit: (url: URL) => boolean
  /** The value of `Accept-Language`. */
  readonly language?: string
}

const longestBody = 1_000_000
const mostRedirects = 10

/** A browser without scripts: it keeps cookies, posts forms and follows redirects, never to a stranger's host. */
export class Visitor {
  readonly jar: CookieJar
  private readonly settings: VisitorSettings

  constructor(settings: VisitorSettings, jar = new CookieJar()) {
    this.settings = settings
    this.jar = jar
  }

  /** A browser with the same cookies, which goes its own way from here. */
  copy(): Visitor {
    return new Visitor(this.settings, this.jar.copy())
  }

  /**
   * Sends one request, and follows no redirect.
   * @throws {NoAnswer}
   */
  async request(url: URL, options: RequestOptions = {}): Promise<Answer> {
    const { form, crossSite = false, origin = url.origin } = options
    const method = options.method ?? (form === undefined ? 'GET' : 'POST')
    const cookie = this.jar.header(url, { crossSite, safe: method !== 'POST' })
    const { language = 'en' } = this.settings
    const headers = {
      accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
      'accept-language': language,
      'sec-fetch-site': crossSite ? 'cross-site' : 'same-origin',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      'user-agent': 'auth-movies site check',
      ...(method === 'POST' && { origin }),
      ...(cookie !== undefined && { cookie }),
    }
    try {
      const response = await fetch(url, {
        method,
        headers,
        redirect: 'manual',
        signal: AbortSignal.timeout(this.settings.timeout),
        ...(form && { body: new URLSearchParams(form.map(([name, value]) => [name, value])) }),
      })
      const body = await beginningOf(response)
      this.jar.take(url, response.headers)
      const raw = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null
      return {
        url,
        status: response.status,
        headers: response.headers,
        body,
        ...(raw !== null && URL.canParse(raw, url) && { location: { url: new URL(raw, url), raw } }),
      }
    } catch (error) {
      throw new NoAnswer(url, whyNot(error, this.settings.timeout))
    }
  }

  /**
   * Sends a request and follows the redirects after it, as far as this visitor may go.
   * @throws {NoAnswer} also where the redirects go round in a circle
   */
  async open(url: URL, options: RequestOptions = {}): Promise<Visit> {
    const answers = [await this.request(url, options)]
    for (;;) {
      const last = answers.at(-1)
      if (last === undefined) throw new NoAnswer(url, 'gave no answer')
      const { location } = last
      if (location === undefined) return { answers, last }
      if (!this.settings.mayVisit(location.url)) return { answers, last, outside: location }
      if (answers.length > mostRedirects)
        throw new NoAnswer(url, `redirects more than ${mostRedirects} times`)
      answers.push(await this.request(location.url, { crossSite: options.crossSite ?? false }))
    }
  }
}

async function beginningOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    parts.push(part)
    length += part.length
    if (length > longestBody) break
  }
  return new TextDecoder().decode(Buffer.concat(parts).subarray(0, longestBody))
}

function whyNot(error: unknown, timeout: number): string {
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return `gave no whole answer within ${timeout / 1000} s`
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code === 'ECONNREFUSED') return 'does not listen (ECONNREFUSED)'
  return code === '' ? 'broke the connection off' : `cannot be reached (${code})`
}
