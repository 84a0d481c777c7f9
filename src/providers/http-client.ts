import type { IncomingHttpHeaders } from 'node:http'
import type { buildConnector, Dispatcher } from 'undici'
import { Agent, EnvHttpProxyAgent, errors, Pool } from 'undici'
import packageJson from '../../package.json' with { type: 'json' }
import type { LookUp } from './happy-eyeballs.ts'
import { createConnector, systemLookUp } from './happy-eyeballs.ts'
import type { ProviderFailureKind } from './provider.ts'
import { ProviderFailure } from './provider.ts'

/** The endpoint of a provider, as metrics and log name it. */
export type Endpoint = 'token' | 'userinfo' | 'emails' | 'jwks' | 'discovery'

/** A request to a provider. */
export interface HttpRequest {
  readonly endpoint: Endpoint
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Uses a new connection even if a kept-alive one is free. A token request always does. */
  readonly fresh?: boolean
}

/** A response with any status. Redirects are never followed. */
export interface HttpResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

/** A request that has ended: its status, or why there was none. */
export interface HttpObservation {
  readonly provider: string
  readonly method: HttpRequest['method']
  readonly endpoint: Endpoint
  readonly result: number | ProviderFailureKind
  readonly seconds: number
}

/** Milliseconds. `connect`: name, connection and TLS; `response`: from there to the last byte of the body. */
export interface HttpTimeouts {
  readonly connect: number
  readonly response: number
}

/** How a provider is reached. */
export interface HttpClientOptions {
  readonly provider: string
  readonly timeouts: HttpTimeouts
  /** The most connections to each of the provider's hosts. */
  readonly connections: number
  readonly proxy?: { readonly https: string; readonly none?: string }
  readonly onHttpRequest?: (observation: HttpObservation) => void
  /** Replaces the system's resolver. */
  readonly lookUp?: LookUp
}

/** HTTP to one provider over connections of its own, so that no provider waits for another one's. */
export interface HttpClient {
  /**
   * @param signal aborts at the deadline of the whole request
   * @throws {ProviderFailure} `unavailable`, `timeout` or `invalid_response` (too large, or encoded although the request
   *   asked for `identity`); with `codeUnspent` if nothing of a token request can have been sent
   */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>
  /** Closes every connection at once. The caller lets running requests end first. */
  close(): Promise<void>
}

/** Bytes. A profile has one or two kB. */
const largestBody = 256 * 1024

/**
 * Milliseconds. Providers and their proxies drop idle connections after 5 s or more, so a request on a kept-alive one
 * seldom has to be repeated. undici's timer is coarse by up to a second, which makes it 4 s at most.
 */
const idleConnection = 3_000

const userAgent = `${packageJson.name}/${packageJson.version}`

/** Opens no connection before the first request. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  // Whether a kept-alive connection has died shows only when something is sent on it, and a token request that may have been
  // sent must not be repeated (RFC 9112 §9.3.1): on such a connection the login would be lost.
  const connect = createConnector(options.timeouts.connect, options.lookUp ?? systemLookUp)
  const kept = createDispatcher(options, connect, 1)
  const fresh = createDispatcher(options, connect, 0)
  return {
    async send(request, signal) {
      const started = performance.now()
      const observe = (result: HttpObservation['result']) => {
        const seconds = (performance.now() - started) / 1000
        const { method, endpoint } = request
        options.onHttpRequest?.({ provider: options.provider, method, endpoint, result, seconds })
      }
      try {
        const dispatcher = request.endpoint === 'token' || request.fresh === true ? fresh : kept
        const response = await exchange(dispatcher, request, options, signal)
        observe(response.status)
        return response
      } catch (error) {
        observe(error instanceof ProviderFailure ? error.kind : 'unavailable')
        throw error
      }
    },
    close: async () => {
      await Promise.all([kept.destroy(), fresh.destroy()])
    },
  }
}

/** @param pipelining requests in flight per connection; 0 closes the connection after its first request */
function createDispatcher(
  { timeouts, connections, proxy }: HttpClientOptions,
  connect: buildConnector.connector,
  pipelining: 0 | 1,
): Dispatcher {
  const agent = {
    connections,
    pipelining,
    allowH2: false,
    keepAliveTimeout: idleConnection,
    keepAliveMaxTimeout: idleConnection,
    connect,
  }
  if (proxy === undefined) return new Agent(agent)
  // Empty strings, because undici would otherwise read the environment, which the configuration has done already.
  return new EnvHttpProxyAgent({
    ...agent,
    httpProxy: '',
    httpsProxy: proxy.https,
    noProxy: proxy.none ?? '',
    requestTls: { timeout: timeouts.connect },
    // Without a limit, a proxy that never answers CONNECT would hold requests for five minutes after they were given up.
    clientFactory: (origin, options) =>
      new Pool(origin, { ...options, connect, headersTimeout: timeouts.connect }),
  })
}

/**
 * Sends one request through undici's handlers. Whether a code may be used again depends only on whether the request has
 * been sent. undici's own `request()` does not tell that, but its handlers do: `onRequestStart` is called directly before
 * the first byte, and a request that is aborted there is never sent.
 */
function exchange(
  dispatcher: Dispatcher,
  { endpoint, method, url, headers, body }: HttpRequest,
  { provider, timeouts }: HttpClientOptions,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>()
  let controller: Dispatcher.DispatchController | undefined
  let failure: ProviderFailure | undefined
  let head: Omit<HttpResponse, 'body'> | undefined
  const chunks: Buffer[] = []
  let size = 0

  const finish = () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', onDeadline)
  }
  const fail = (kind: ProviderFailureKind, what: string, cause?: unknown) => {
    const codeUnspent = endpoint === 'token' && controller === undefined
    failure ??= new ProviderFailure(kind, `${provider} ${endpoint}: ${what}`, { codeUnspent, cause })
    finish()
    controller?.abort(failure)
    reject(failure)
  }
  const onDeadline = () => fail('timeout', 'the time for the whole request is over')
  let timer = setTimeout(() => fail('unavailable', 'no connection in time'), timeouts.connect)
  if (signal.aborted) onDeadline()
  else signal.addEventListener('abort', onDeadline, { once: true })

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      if (failure !== undefined) return started.abort(failure)
      controller = started
      clearTimeout(timer)
      timer = setTimeout(() => fail('timeout', 'no whole answer in time'), timeouts.response)
    },
    onResponseStart(_controller, status, headers) {
      if (status < 200) return
      head = { status, headers }
      const encoding = headers['content-encoding'] ?? 'identity'
      // Bodies are not decoded: a few kB could become gigabytes, and every provider respects `identity`.
      if (encoding !== 'identity') fail('invalid_response', 'an encoded body that nobody asked for')
    },
    onResponseData(_controller, chunk) {
      size += chunk.length
      if (size > largestBody) fail('invalid_response', `a body of more than ${largestBody} bytes`)
      else chunks.push(chunk)
    },
    onResponseEnd() {
      finish()
      if (head === undefined) fail('invalid_response', 'an end without a beginning')
      else resolve({ ...head, body: Buffer.concat(chunks) })
    },
    onResponseError(_controller, error) {
      // The codes of undici and Node go to the log: ENOTFOUND, ECONNRESET, CERT_HAS_EXPIRED. A parser error contains the
      // response, which may hold a token, so it is not kept as the cause.
      const unreadable = error instanceof errors.HTTPParserError
      const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
      const what = controller === undefined ? '' : ', the connection was lost'
      fail('unavailable', `${url.host}: ${code}${what}`, unreadable ? undefined : error)
    },
  }
  if (failure === undefined)
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: {
          accept: 'application/json',
          'accept-encoding': 'identity',
          'user-agent': userAgent,
          ...headers,
        },
        body: body ?? null,
      },
      handler,
    )
  return promise
}
