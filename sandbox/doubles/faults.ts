import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { FastifyReply } from 'fastify'

/** An endpoint for which a fault or a fixed response can be set. */
export const endpoints = ['token', 'userinfo', 'emails', 'jwks', 'discovery'] as const
export type Endpoint = (typeof endpoints)[number]

/** A response as it is sent, byte for byte. */
export interface RawResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

/** Milliseconds: longer than any client waits, short enough that no connection stays open for ever. */
const slowFor = 60_000
const slowStep = 200
const hugeSize = 16 * 1024 * 1024

const html = (text: string) => `<!doctype html><title>${text}</title><h1>${text}</h1><p>nginx</p>`
const page = (status: number, text: string): RawResponse => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: html(text),
})
const json = (status: number, body: string): RawResponse => ({
  status,
  headers: { 'content-type': 'application/json' },
  body,
})

/** Faults with the same response to every request. */
const fixed = {
  '500-json': json(500, '{"error":"internal_failure","error_description":"Backend Error"}'),
  '502-html': page(502, '502 Bad Gateway'),
  '503-html': page(503, '503 Service Temporarily Unavailable'),
  '200-html': page(200, 'Maintenance'),
  '200-empty': json(200, ''),
  'json-array': json(200, '[{"access_token":"x","token_type":"bearer"}]'),
  'json-null': json(200, 'null'),
  'json-string': json(200, '"access_token"'),
  '429': {
    status: 429,
    headers: { 'content-type': 'application/json', 'retry-after': '7' },
    body: '{"error":"rate_limit_exceeded"}',
  },
  'login-redirect': {
    status: 302,
    headers: { location: 'login-page?from=fault', 'content-type': 'text/html' },
    body: '',
  },
} as const satisfies Record<string, RawResponse>

/** Faults that change the correct response. The request is processed: a code is consumed. */
const spoiling = {
  'truncated-json': (response: RawResponse): RawResponse => ({
    ...response,
    body: response.body.slice(0, -7),
  }),
  'text-plain': (response: RawResponse): RawResponse => ({
    ...response,
    headers: { 'content-type': 'text/plain' },
  }),
  'text-javascript': (response: RawResponse): RawResponse => ({
    ...response,
    headers: { 'content-type': 'text/javascript; charset=utf-8' },
  }),
} as const satisfies Record<string, (response: RawResponse) => RawResponse>

/** Faults that act on the connection itself. */
const wired = {
  /** The correct response followed by 16 MB of blanks: a client without a size limit would accept it. */
  'huge-body': (reply, response) => {
    reply.raw.writeHead(response.status, { 'content-type': 'application/json' })
    const blanks = Buffer.alloc(64 * 1024, ' ')
    Readable.from(
      (function* () {
        yield response.body
        for (let sent = 0; sent < hugeSize; sent += blanks.length) yield blanks
      })(),
    )
      .on('error', () => reply.raw.destroy())
      .pipe(reply.raw)
  },
  /** The same, compressed to 16 kB. */
  'gzip-bomb': (reply, response) => {
    const body = gzipSync(response.body + ' '.repeat(hugeSize))
    reply.raw.writeHead(response.status, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
    reply.raw.end(body)
  },
  /** Sends one header line at a time, so that a limit on idle time alone never applies. */
  'slow-headers': (reply) => {
    drip(reply, 'HTTP/1.1 200 OK\r\n', () => `x-slow: ${randomBytes(4).toString('hex')}\r\n`)
  },
  /** Sends a correct body one byte at a time. */
  'slow-body': (reply, response) => {
    const body = Buffer.from(response.body)
    let at = 0
    const head = headOf(response.status, body.length)
    drip(reply, head, () => body.subarray(at, ++at))
  },
  reset: (reply) => {
    reply.raw.socket?.resetAndDestroy()
  },
  'reset-midway': (reply, response) => {
    const body = Buffer.from(response.body)
    const socket = reply.raw.socket
    socket?.write(headOf(response.status, body.length))
    socket?.write(body.subarray(0, body.length / 2), () => setTimeout(() => socket.resetAndDestroy(), 50))
  },
  /** Never responds; the connection stays open until the client or the double closes it. */
  hang: () => {},
} as const satisfies Record<string, (reply: FastifyReply, response: RawResponse) => void>

/** Faults that a client of a real provider meets sooner or later. */
export type Fault = keyof typeof fixed | keyof typeof spoiling | keyof typeof wired

/** All faults, for table-driven tests. */
export const faults: readonly Fault[] = [
  ...(Object.keys(fixed) as (keyof typeof fixed)[]),
  ...(Object.keys(spoiling) as (keyof typeof spoiling)[]),
  ...(Object.keys(wired) as (keyof typeof wired)[]),
]

/**
 * Responds with a fault.
 * @param respond makes the correct response (and consumes the code); only called for faults that send a part of it
 */
async function deliverFault(
  reply: FastifyReply,
  fault: Fault,
  respond: () => Promise<RawResponse>,
): Promise<FastifyReply> {
  if (isKey(fixed, fault)) return send(reply, fixed[fault])
  if (isKey(spoiling, fault)) return send(reply, spoiling[fault](await respond()))
  const known = fault === 'reset' || fault === 'hang' ? { status: 200, body: '' } : await respond()
  reply.hijack()
  wired[fault](reply, known)
  return reply
}

/** Sends a response byte for byte. */
export function send(reply: FastifyReply, { status, headers = {}, body }: RawResponse): FastifyReply {
  return reply.code(status).headers(headers).send(Buffer.from(body))
}

function drip(reply: FastifyReply, head: string, next: () => string | Uint8Array): void {
  const socket = reply.raw.socket
  if (socket === null) return
  socket.write(head)
  const timer = setInterval(() => socket.write(next()), slowStep)
  const end = setTimeout(() => socket.destroy(), slowFor)
  socket.once('close', () => {
    clearInterval(timer)
    clearTimeout(end)
  })
}

function headOf(status: number, length: number): string {
  return `HTTP/1.1 ${status} Slow\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`
}

function isKey<T extends object>(table: T, key: string | number): key is keyof T & string {
  return Object.hasOwn(table, key)
}

/** The faults and fixed responses set for a double's endpoints, and for how many more requests each holds. */
export class Misbehaviour {
  readonly #faults = new Map<Endpoint, { readonly what: Fault; left: number }>()
  readonly #responses = new Map<Endpoint, { readonly what: RawResponse; left: number }>()

  /** Sets a fault for the next `times` requests, or until `undefined` clears it. */
  fault(endpoint: Endpoint, fault: Fault | undefined, times = Number.POSITIVE_INFINITY): void {
    put(this.#faults, endpoint, fault, times)
  }

  /** Sets a fixed response likewise. It takes precedence over a fault. */
  answer(endpoint: Endpoint, response: RawResponse | undefined, times = Number.POSITIVE_INFINITY): void {
    put(this.#responses, endpoint, response, times)
  }

  /**
   * Sends the response or fault that is set for the endpoint, or else the correct response.
   * @param ofLogin the fault of the login that the request belongs to, if it has one
   */
  async reply(
    endpoint: Endpoint | undefined,
    reply: FastifyReply,
    correct: () => Promise<RawResponse>,
    ofLogin?: Fault,
  ): Promise<FastifyReply> {
    const response = take(this.#responses, endpoint)
    if (response !== undefined) return send(reply, response)
    const fault = take(this.#faults, endpoint) ?? ofLogin
    return fault === undefined ? send(reply, await correct()) : deliverFault(reply, fault, correct)
  }
}

type Counted<T> = Map<Endpoint, { readonly what: T; left: number }>

function put<T>(map: Counted<T>, endpoint: Endpoint, what: T | undefined, left: number): void {
  if (what === undefined) map.delete(endpoint)
  else map.set(endpoint, { what, left })
}

function take<T>(map: Counted<T>, endpoint: Endpoint | undefined): T | undefined {
  const found = endpoint && map.get(endpoint)
  if (!found) return undefined
  found.left -= 1
  if (found.left <= 0) map.delete(endpoint)
  return found.what
}
