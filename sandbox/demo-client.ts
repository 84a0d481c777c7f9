/** What a site must know to use Auth-movies. */
export interface DemoSiteOptions {
  /** Where Auth-movies is: `http://127.0.0.1:3000`, no slash at the end. */
  readonly serviceUrl: string
  readonly siteId: string
  /** Only where the site was registered with `--require-secret`. */
  readonly siteSecret?: string
  /** The address that was registered, character by character. */
  readonly redirectUrl: string
}

/** What Auth-movies gives for a finished login, and again at each refresh. */
export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

/** What went wrong: the fields of problem+json (RFC 9457), or our own words. */
export interface Trouble {
  readonly status: number
  /** For the log. */
  readonly type?: string
  /** For the log, in English. */
  readonly description: string
  /** What a visitor may be shown; absent where Auth-movies did not answer. */
  readonly userMessage?: string
  readonly requestId?: string
}

/** What a request to Auth-movies came to. */
export type Outcome<T> =
  | { readonly ok: true; readonly answer: T }
  | { readonly ok: false; readonly trouble: Trouble }

/**
 * The requests of a site's backend to Auth-movies. The first two are the whole guide.
 * @param language the browser's `Accept-Language`, so that problems are told in the visitor's language
 */
export function authMovies(
  { serviceUrl, siteId, siteSecret, redirectUrl }: DemoSiteOptions,
  language: string,
) {
  const credentials = siteSecret && `Basic ${Buffer.from(`${siteId}:${siteSecret}`).toString('base64')}`

  const post = (path: string, form: URLSearchParams | string) =>
    request('POST', path, {
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(credentials && { authorization: credentials }),
      },
      body: form.toString(),
    })

  async function request(
    method: string,
    path: string,
    {
      headers,
      body,
      patience = 15_000,
    }: { readonly headers: Record<string, string>; readonly body?: string; readonly patience?: number },
  ): Promise<Outcome<unknown>> {
    try {
      const response = await fetch(serviceUrl + path, {
        method,
        headers: { accept: 'application/json', 'accept-language': language, ...headers },
        ...(body !== undefined && { body }),
        redirect: 'error',
        signal: AbortSignal.timeout(patience),
      })
      const answer: unknown = await response.json().catch(() => undefined)
      return response.ok ? { ok: true, answer } : { ok: false, trouble: troubleOf(response.status, answer) }
    } catch (error) {
      // Its message alone: what was sent may hold a token.
      return {
        ok: false,
        trouble: { status: 502, description: `Auth-movies does not answer: ${reason(error)}` },
      }
    }
  }

  return {
    /** Through which providers a login may be started now; undefined where Auth-movies does not say. */
    availableProviders: async (): Promise<ReadonlySet<string> | undefined> => {
      // The login page must not wait for it: without an answer every button is shown.
      const outcome = await request('GET', '/api/v1/oauth/providers/', { headers: {}, patience: 2_000 })
      const list = outcome.ok ? member(outcome.answer, 'providers') : undefined
      if (!Array.isArray(list)) return undefined
      const available = list.filter((one) => member(one, 'available') === true)
      return new Set(available.flatMap((one) => field(one, 'name') ?? []))
    },

    /** Step 1 of the guide: where to send the browser, and the state to remember. */
    startLogin: async (provider: string) =>
      withStrings(
        await post(
          '/api/v1/oauth/authorize-url/',
          new URLSearchParams({ provider, client_redirect_url: redirectUrl }),
        ),
        ['state', 'authorize_url'],
      ),

    /** Step 4 of the guide: everything that came back in the query, one to one. */
    finishLogin: async (query: string): Promise<Outcome<Tokens>> =>
      withStrings(await post('/api/v1/oauth/authorize/', query), ['access_token', 'refresh_token']),

    /** A new pair; the old refresh token is worth nothing afterwards. */
    refresh: async (token: string): Promise<Outcome<Tokens>> =>
      withStrings(await post('/api/v1/oauth/refresh/', new URLSearchParams({ refresh_token: token })), [
        'access_token',
        'refresh_token',
      ]),

    /** Ends the session at Auth-movies (RFC 7009). */
    logOut: (refreshToken: string) =>
      post('/api/v1/oauth/revoke/', new URLSearchParams({ token: refreshToken })),

    /** Who is logged in. */
    me: (accessToken: string) =>
      request('GET', '/api/v1/me/', { headers: { authorization: `Bearer ${accessToken}` } }),
  }
}

/** An answer that has what was promised, or a trouble. */
function withStrings<K extends string>(
  outcome: Outcome<unknown>,
  names: readonly K[],
): Outcome<Record<K, string>> {
  if (!outcome.ok) return outcome
  const found = names.flatMap((name) => {
    const value = field(outcome.answer, name)
    return value === undefined ? [] : [[name, value] as const]
  })
  if (found.length === names.length)
    return { ok: true, answer: Object.fromEntries(found) as Record<K, string> }
  return {
    ok: false,
    trouble: {
      status: 502,
      description: `Unexpected answer: no ${names.join(', ')} in the answer of Auth-movies.`,
    },
  }
}

function troubleOf(status: number, problem: unknown): Trouble {
  const requestId = field(problem, 'request_id')
  const type = field(problem, 'type')
  const userMessage = field(problem, 'user_message')
  return {
    status,
    // `detail` follows the visitor's language; the other does not, and not every address has it.
    description: field(problem, 'error_description') ?? field(problem, 'detail') ?? 'no explanation',
    ...(type !== undefined && { type }),
    ...(userMessage !== undefined && { userMessage }),
    ...(requestId !== undefined && { requestId }),
  }
}

function member(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined
}

function field(object: unknown, name: string): string | undefined {
  const value = member(object, name)
  return typeof value === 'string' ? value : undefined
}

function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : 'unknown reason'
}
