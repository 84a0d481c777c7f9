/** A page at which a visitor stopped: no further redirect. */
export interface Page {
  readonly url: string
  readonly status: number
  readonly type: string | null
  readonly text: string
}

/**
 * A browser without scripts: it keeps cookies by host name, whatever the port, follows redirects, and posts the form of a
 * `form_post` at once. It wants JSON of the service's problems.
 */
export class Visitor {
  readonly #cookies = new Map<string, string>()
  readonly visited: string[] = []

  get(url: string): Promise<Page> {
    return this.#ask(url)
  }

  post(url: string, fields: Readonly<Record<string, string>>): Promise<Page> {
    return this.#ask(url, new URLSearchParams(fields))
  }

  /**
   * Starts a login on the demo site and goes on as Anna until a page is shown.
   * @param fields of the form of the demo site
   */
  async logIn(demoUrl: string, fields: Readonly<Record<string, string>>): Promise<Page> {
    await this.get(demoUrl)
    return this.post(`${demoUrl}login`, fields)
  }

  async #ask(url: string, body?: URLSearchParams): Promise<Page> {
    // The doubles let this person log in without a page.
    const address = url.includes('redirect_uri=') ? `${url}&sandbox_person=anna` : url
    this.visited.push(address)
    const headers = new Headers({ accept: 'application/json', 'accept-language': 'en' })
    if (this.#cookies.size > 0)
      headers.set('cookie', [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '))
    const response = await fetch(address, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(30_000),
      ...(body && { method: 'POST', body }),
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (value === '') this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    const location = response.headers.get('location')
    const text = await response.text()
    if (location !== null) return this.#ask(new URL(location, address).href)
    const form = formPost(text)
    if (form !== undefined) return this.#ask(form.action, form.fields)
    return { url: address, status: response.status, type: response.headers.get('content-type'), text }
  }
}

function formPost(page: string): { action: string; fields: URLSearchParams } | undefined {
  if (!page.includes('document.forms[0].submit()')) return undefined
  const plain = (text = '') =>
    text
      .replaceAll('&quot;', '"')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&#39;', "'")
      .replaceAll('&amp;', '&')
  const action = plain(/<form method="post" action="([^"]+)"/.exec(page)?.[1])
  const fields = new URLSearchParams()
  for (const [, name, value] of page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g))
    fields.append(plain(name), plain(value))
  return { action, fields }
}
