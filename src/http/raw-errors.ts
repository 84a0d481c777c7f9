import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import { Problem } from '../problems/problem.ts'
import { problemBody } from '../problems/reply.ts'
import type { ProblemName } from '../problems/table.ts'

/** Node's own refusals, before there is a request: each gets the same problem+json as any other failure. */
const parserErrors: Readonly<Record<string, ProblemName>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
}

/**
 * For Fastify's `clientErrorHandler`: what the HTTP parser refused is answered on the bare socket, then closed
 * (RFC 9112 §9.6: nothing after it can be read safely).
 */
export function answerClientError(
  publicUrl: string,
  log: FastifyBaseLogger,
): (error: Error & { code?: string }, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const problem = parserErrors[error.code ?? ''] ?? 'malformed-request'
    // The one that a person may meet: a browser sends all cookies of a domain.
    if (problem === 'headers-too-large') log.warn({ problem }, 'refused before it could be read')
    const { status, body } = rawProblem(problem, publicUrl)
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/problem+json\r\n` +
        `cache-control: no-store\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  }
}

/** For the server's `checkExpectation`: an `Expect` other than 100-continue (RFC 9110 §10.1.1). */
export function answerExpectation(
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
