import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import { Problem } from '../problems/problem.ts'
import { problemBody } from '../problems/reply.ts'
import type { ProblemName } from '../problems/table.ts'

/** The problems of errors that Node finds before there is a request; they get problem+json like every other error. */
const parserErrors: Readonly<Record<string, ProblemName>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
}

/**
 * Makes Fastify's `clientErrorHandler`: it responds on the bare socket to what the HTTP parser refused, and closes it, as
 * nothing after the error can be read safely (RFC 9112 §9.6).
 */
export function clientErrorHandler(
  publicUrl: string,
  log: FastifyBaseLogger,
): (error: Error & { code?: string }, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const problem = parserErrors[error.code ?? ''] ?? 'malformed-request'
    // The only one of these that people can meet, as a browser sends all cookies of a domain.
    if (problem === 'headers-too-large') log.warn({ problem }, 'refused before it could be read')
    const { status, body } = rawProblem(problem, publicUrl)
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/problem+json\r\n` +
        `cache-control: no-store\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  }
}

/** Makes the server's `checkExpectation` handler, for an `Expect` other than 100-continue (RFC 9110 §10.1.1). */
export function expectationHandler(
  publicUrl: string,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (_request, response) => {
    const { status, body } = rawProblem('expectation-failed', publicUrl)
    response.writeHead(status, {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      connection: 'close',
      'content-length': Buffer.byteLength(body),
    })
    response.end(body)
  }
}

function rawProblem(name: ProblemName, publicUrl: string): { status: number; body: string } {
  const problem = new Problem(name)
  const context = { language: 'en', publicUrl, requestId: randomUUID(), oauth: true } as const
  return { status: problem.status, body: JSON.stringify(problemBody(problem, context)) }
}
