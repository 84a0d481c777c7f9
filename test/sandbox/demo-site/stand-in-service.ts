import { createServer } from 'node:http'
import { listenOnLoopback } from '../../support/process.ts'

/** What the stand-in saw. */
export interface Call {
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly language: string | undefined
  readonly body: string
}

/** What it answers, by method and path; a later one takes the place of an earlier. */
export type Answers = Record<string, { readonly status: number; readonly body: unknown }>

/**
 * A server that speaks the service's published contract by rote, so that the demo site meets answers which the
 * real service gives only on a bad day. The whole way through the real one is the browser test's matter.
 */
export async function startStandIn(answers: Answers) {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      calls.push({
        method,
        path,
        authorization: headers.authorization,
        language: headers['accept-language'],
        body,
      })
      const answer = answers[`${method} ${path}`] ?? { status: 404, body: { title: 'Not found' } }
      response.writeHead(answer.status, { 'content-type': 'application/json' })
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
    })
  })
  return {
    url: `http://127.0.0.1:${await listenOnLoopback(server)}`,
    calls,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
