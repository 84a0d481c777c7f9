import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import type { Answer } from './double.ts'

/** A minute: longer than any client's maxTrialPauses, short enough that nothing is left for ever. */
const slowFor = 60_000
const slowStep = 200
const hugeSize = 16 * 1024 * 1024

const html = (text: string) => `<!doctype html><title>${text}</title><h1>${text}</h1><p>nginx</p>`
const page = (status: number, text: string): Answer => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: html(text),
})
const json = (status: number, body: string): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body,
})

/** Faults whose answer has nothing to do with the request. */
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
} as const satisfies Record<string, Answer>

/** Faults that spoil what would have been answered: a code is used up by them. */
const spoiling = {
  'truncated-json': (answer: Answer): Answer => ({ ...answer, body: answer.body.slice(0, -7) }),
  'text-plain': (answer: Answer): Answer => ({ ...answer, headers: { 'content-type': 'text/plain' } }),
  'text-javascript': (answer: Answer): Answer => ({
    ...answer,
    headers: { 'content-type': 'text/javascript; charset=utf-8' },
  }),
} as const satisfies Record<string, (answer: Answer) => Answer>

/** Faults that need the connection itself. */
const wired = {
  /** The right answer and 16 MB of blanks: a client without a cap would accept it. */
  'huge-body': (reply, answer) => {
    reply.raw.writeHead(answer.status, { 'content-type': 'application/json' })
    const blanks = Buffer.alloc(64 * 1024, ' ')
    Readable.from(
      (function* () {
        yield answer.body
        for (let sent = 0; sent < hugeSize; sent += blanks.length) yield blanks
      })(),
    )
      .on('error', () => reply.raw.destroy())
      .pipe(reply.raw)
  },
  /** The same in 16 kB on the wire. */
  'gzip-bomb': (reply, answer) => {
    const body = gzipSync(answer.body + ' '.repeat(hugeSize))
    reply.raw.writeHead(answer.status, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
    reply.raw.end(body)
  },
  /** A header line at a time, so that a limit on idle time alone never strikes. */
  'slow-headers': (reply) => {
    drip(reply, 'HTTP/1.1 200 OK\r\n', () => `x-slow: ${randomBytes(4).toString('hex')}\r\n`)
  },
  /** A byte at a time of a body that would be right in the end. */
  'slow-body': (reply, answer) => {
    const body = Buffer.from(answer.body)
    let at = 0
    const head = headOf(answer.status, body.length)
    drip(reply, head, () => body.subarray(at, ++at))
  },
  reset: (reply) => {
    reply.raw.socket?.resetAndDestroy()
  },
  'reset-midway': (reply, answer) => {
    const body = Buffer.from(answer.body)
    const socket = reply.raw.socket
    socket?.write(headOf(answer.status, body.length))
    socket?.write(body.subarray(0, body.length / 2), () => setTimeout(() => socket.resetAndDestroy(), 50))
  },
  /** Never answers; the connection stays until the client or the double closes it. */
  hang: () => {},
} as const satisfies Record<string, (reply: FastifyReply, answer: Answer) => void>

/** Transport faults that a client of a real provider meets sooner or later. */
export type Fault = keyof typeof fixed | keyof typeof spoiling | keyof typeof wired

/** All of them, for tests by table. */
export const faults: readonly Fault[] = [
  ...(Object.keys(fixed) as (keyof typeof fixed)[]),
  ...(Object.keys(spoiling) as (keyof typeof spoiling)[]),
  ...(Object.keys(wired) as (keyof typeof wired)[]),
]

/**
 * Answers by a fault.
 * @param answer makes what would have been answered (and uses the code up); called only by the faults that
 *   give a part of it away
 */
export async function deliverFault(
  reply: FastifyReply,
  fault: Fault,
  answer: () => Promise<Answer>,
): Promise<FastifyReply> {
  if (isKey(fixed, fault)) return send(reply, fixed[fault])
  if (isKey(spoiling, fault)) return send(reply, spoiling[fault](await answer()))
  const known = fault === 'reset' || fault === 'hang' ? { status: 200, body: '' } : await answer()
  reply.hijack()
  wired[fault](reply, known)
  return reply
}

/** Sends an answer byte for byte. */
export function send(reply: FastifyReply, { status, headers = {}, body }: Answer): FastifyReply {
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
