/** What a site needs to use Auth-movies. */
export interface DemoSiteOptions {
  /** Where Auth-movies is: `http://127.0.0.1:3000`, no slash at the end. */
  readonly serviceUrl: string
  readonly siteId: string
  /** Required only if the site was registered with `--require-secret`. */
  readonly siteSecret?: string
  /** Exactly as registered. */
  readonly redirectUrl: string
}

/** The token response of Auth-movies after a login and after each refresh. */
export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

/** A provider that Auth-movies offers. */
export interface OfferedProvider {
  readonly name: string
  /** For a button. */
  readonly title: { readonly ru: string; readonly en: string }
  /** Whether a login may be started through it now. */
  readonly available: boolean
}

/** What went wrong: the fields of problem+json (RFC 9457), or the site's own text. */
export interface Trouble {
  readonly status: number
  /** For the log. */
  readonly type?: string
  /** For the log, in English. */
  readonly description: string
  /** A text for visitors; absent if Auth-movies did not respond. */
  readonly userMessage?: string
  readonly requestId?: string
}

/** The result of a request to Auth-movies. */
export type Outcome<T> =
  | { readonly ok: true; readonly body: T }
  | { readonly ok: false; readonly trouble: Trouble }

/**
 * The requests of a site's backend to Auth-movies. The first two are all that a login needs.
 * @param language the browser's `Accept-Language`, so that texts of problems are in the visitor's language
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
      timeout = 15_000,
    }: { readonly headers: Record<string, string>; readonly body?: string; readonly timeout?: number },
  ): Promise<Outcome<unknown>> {
    try {
      const response = await fetch(serviceUrl + path, {
        method,
        headers: { accept: 'application/json', 'accept-language': language, ...headers },
        ...(body !== undefined && { body }),
        redirect: 'error',
        signal: AbortSignal.timeout(timeout),
      })
      const json: unknown = await response.json().catch(() => undefined)
      return response.ok ? { ok: true, body: json } : { ok: false, trouble: troubleOf(response.status, json) }
    } catch (error) {
      // Only the message: the request may contain a token.
      return {
        ok: false,
        trouble: { status: 502, description: `Auth-movies does not respond: ${reason(error)}` },
      }
    }
  }

  return {
    /** The providers that Auth-movies offers, in its order; undefined if it does not say. */
    offeredProviders: async (): Promise<readonly OfferedProvider[] | undefined> => {
      // The login page must not wait long for this list: without a response it offers every provider that it knows.
      const outcome = await request('GET', '/api/v1/oauth/providers/', { headers: {}, timeout: 2_000 })
      const list = outcome.ok ? member(outcome.body, 'providers') : undefined
      if (!Array.isArray(list)) return undefined
      return list.flatMap((provider) => {
        const [name, title] = [field(provider, 'name'), member(provider, 'title')]
        const [ru, en] = [field(title, 'ru'), field(title, 'en')]
        if (name === undefined || ru === undefined || en === undefined) return []
        return [{ name, title: { ru, en }, available: member(provider, 'available') === true }]
      })
    },

    /**
     * Step 1 of the guide: returns the URL for the browser and the state to store.
     * @param loginHint what the provider may fill in; here the sandbox reads from it which fault to play
     */
    startLogin: async (provider: string, loginHint?: string) =>
      withStrings(
        await post(
          '/api/v1/oauth/authorize-url/',
          new URLSearchParams({
            provider,
            client_redirect_url: redirectUrl,
            ...(loginHint !== undefined && { login_hint: loginHint }),
          }),
        ),
        ['state', 'authorize_url'],
      ),

    /** Step 4 of the guide: sends the query of the callback unchanged. */
    finishLogin: async (query: string): Promise<Outcome<Tokens>> =>
      withStrings(await post('/api/v1/oauth/authorize/', query), ['access_token', 'refresh_token']),

    /** Returns new tokens; the old refresh token is invalid afterwards. */
    refresh: async (token: string): Promise<Outcome<Tokens>> =>
      withStrings(await post('/api/v1/oauth/refresh/', new URLSearchParams({ refresh_token: token })), [
        'access_token',
        'refresh_token',
      ]),

    /** Ends the session at Auth-movies (RFC 7009). */
    logOut: (refreshToken: string) =>
      post('/api/v1/oauth/revoke/', new URLSearchParams({ token: refreshToken })),

    /** The profile of the person who is logged in. */
    me: (accessToken: string) =>
      request('GET', '/api/v1/me/', { headers: { authorization: `Bearer ${accessToken}` } }),
  }
}

/** Checks that a response has these strings. */
function withStrings<K extends string>(
  outcome: Outcome<unknown>,
  names: readonly K[],
): Outcome<Record<K, string>> {
  if (!outcome.ok) return outcome
  const found = names.flatMap((name) => {
    const value = field(outcome.body, name)
    return value === undefined ? [] : [[name, value] as const]
  })
  if (found.length === names.length) return { ok: true, body: Object.fromEntries(found) as Record<K, string> }
  return {
    ok: false,
    trouble: {
      status: 502,
      description: `Unexpected response: Auth-movies sent no ${names.join(', ')}.`,
    },
  }
}

function troubleOf(status: number, problem: unknown): Trouble {
  const requestId = field(problem, 'request_id')
  const type = field(problem, 'type')
  const userMessage = field(problem, 'user_message')
  return {
    status,
    // `error_description` is always in English, but not every endpoint sends it; `detail` is in the visitor's language.
    description: field(problem, 'error_description') ?? field(problem, 'detail') ?? 'no explanation',
    ...(type !== undefined && { type }),
    ...(userMessage !== undefined && { userMessage }),
    ...(requestId !== undefined && { requestId }),
  }
}

function member(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined
}

/** A string member of a JSON object; undefined where there is none. */
export function field(object: unknown, name: string): string | undefined {
  const value = member(object, name)
  return typeof value === 'string' ? value : undefined
}

function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : 'unknown reason'
}
