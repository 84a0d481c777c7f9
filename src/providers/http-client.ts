import type { IncomingHttpHeaders } from 'node:http'
import type { buildConnector, Dispatcher } from 'undici'
import { Agent, EnvHttpProxyAgent, errors, Pool } from 'undici'
import packageJson from '../../package.json' with { type: 'json' }
import type { LookUp } from './happy-eyeballs.ts'
import { createConnector, systemLookUp } from './happy-eyeballs.ts'
import type { ProviderFailureKind } from './provider.ts'
import { ProviderFailure } from './provider.ts'

/** What a request is for: the label of metrics, and how the log names it. */
export type Endpoint = 'token' | 'userinfo' | 'jwks'

/** A request to a provider. */
export interface HttpRequest {
  readonly endpoint: Endpoint
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** On a new connection, also where a kept one is free; a POST always has a new one. */
  readonly fresh?: boolean
}

/** An answer, whatever its status; a redirect is an answer like any other and is never followed. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

/** One request that ended: its status, or why there was none. */
export interface HttpObservation {
  readonly provider: string
  readonly endpoint: Endpoint
  readonly result: number | ProviderFailureKind
  readonly seconds: number
}

/** Milliseconds. `connect`: name, connection and TLS; `answer`: from there to the last byte of the body. */
export interface HttpTimeouts {
  readonly connect: number
  readonly answer: number
}

/** How a provider is reached. */
export interface HttpClientOptions {
  readonly provider: string
  readonly timeouts: HttpTimeouts
  /** At most so many at once to each of the provider's hosts. */
  readonly connections: number
  readonly proxy?: { readonly https: string; readonly none?: string }
  readonly onHttpRequest?: (observation: HttpObservation) => void
  /** In place of the system's resolver. */
  readonly lookUp?: LookUp
}

/** HTTP to one provider over its own connections, so that no other provider waits for them. */
export interface HttpClient {
  /**
   * @param signal what is left of the whole request's time
   * @throws {ProviderFailure} `unavailable`, `timeout` or `invalid_response` (too large, or encoded although
   *   it was asked not to be); `codeUnspent` where nothing of a token request can have been sent
   */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>
  /** At once: whoever closes has let the requests that matter end first. */
  close(): Promise<void>
}

/** Bytes. A profile has one or two kB; whatever is longer is not one. */
const largestBody = 256 * 1024

/**
 * Milliseconds. Providers and what stands before them drop idle connections after 5 s and more, so that a request on a
 * kept one seldom has to be repeated. undici's timer is coarse by up to a second: four at most.
 */
const idleConnection = 3_000

const userAgent = `${packageJson.name}/${packageJson.version}`

/** Opens no connection before the first request. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  // Nobody can know whether a kept connection has died until something was sent on it, and a POST that may have been
  // sent must not be repeated (RFC 9112 §9.3.1): it would cost a person the login.
  const connect = createConnector(options.timeouts.connect, options.lookUp ?? systemLookUp)
  const kept = createDispatcher(options, connect, 1)
  const fresh = createDispatcher(options, connect, 0)
  return {
    async send(request, signal) {
      const started = performance.now()
      const observe = (result: HttpObservation['result']) => {
        const seconds = (performance.now() - started) / 1000
        options.onHttpRequest?.({ provider: options.provider, endpoint: request.endpoint, result, seconds })
      }
      try {
        const dispatcher = request.method === 'POST' || request.fresh === true ? fresh : kept
        const answer = await exchange(dispatcher, request, options, signal)
        observe(answer.status)
        return answer
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

/** @param pipelining requests that a connection may have under way; 0: it is closed after its only one */
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
  // Empty strings: the configuration has read the environment, undici shall not read it again.
  return new EnvHttpProxyAgent({
    ...agent,
    httpProxy: '',
    httpsProxy: proxy.https,
    noProxy: proxy.none ?? '',
    requestTls: { timeout: timeouts.connect },
    // A proxy that never answers CONNECT would otherwise be waited for five minutes, by requests long given up.
    clientFactory: (origin, options) =>
      new Pool(origin, { ...options, connect, headersTimeout: timeouts.connect }),
  })
}

/**
 * undici's own `request()` cannot tell whether a request that failed had been sent, and nothing but that
 * decides whether a code may be used again. Its handlers can: `onRequestStart` comes right before the first
 * byte, and a request that is aborted there is never sent.
 */
function exchange(
  dispatcher: Dispatcher,
  { endpoint, method, url, headers, body }: HttpRequest,
  { provider, timeouts }: HttpClientOptions,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>()
  let controller: Dispatcher.DispatchController | undefined
  let failure: ProviderFailure | undefined
  let answer: Omit<HttpAnswer, 'body'> | undefined
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
      timer = setTimeout(() => fail('timeout', 'no whole answer in time'), timeouts.answer)
    },
    onResponseStart(_controller, status, headers) {
      if (status < 200) return
      answer = { status, headers }
      const encoding = headers['content-encoding'] ?? 'identity'
      // Not decoded: a few kB could become gigabytes, and every provider keeps to `identity`.
      if (encoding !== 'identity') fail('invalid_response', 'an encoded body that nobody asked for')
    },
    onResponseData(_controller, chunk) {
      size += chunk.length
      if (size > largestBody) fail('invalid_response', `a body of more than ${largestBody} bytes`)
      else chunks.push(chunk)
    },
    onResponseEnd() {
      finish()
      if (answer === undefined) fail('invalid_response', 'an end without a beginning')
      else resolve({ ...answer, body: Buffer.concat(chunks) })
    },
    onResponseError(_controller, error) {
      // undici's and Node's own codes for the log: ENOTFOUND, ECONNRESET, CERT_HAS_EXPIRED. A parser's error
      // carries the answer itself, and with it perhaps a token: it is not kept as the cause.
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
