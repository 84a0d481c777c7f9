import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems/problem.ts'

/**
 * Bodies that are no form, on both servers. An empty body is no body, whatever its type: many clients name a type in
 * each POST and DELETE. JSON is read by Fastify's own parser, which refuses `__proto__`; a name that comes twice is
 * refused as it is in a form, where JSON.parse would keep the last one in silence (RFC 8259 §4).
 */
export const bodies = fp(async (app: FastifyInstance) => {
  app.addHook('onRequest', async ({ raw: { headers } }) => {
    const empty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0
    if (empty) for (const name of ['content-type', 'content-encoding']) delete headers[name]
  })
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    (request: FastifyRequest, body: string, done) => {
      // Chunked, so that the headers do not say it.
      if (body === '') return done(null, undefined)
      return parse(request, body, (error, value) => {
        if (error !== null) return done(error)
        const parameter = repeatedName(body)
        if (parameter === undefined) return done(null, value)
        return done(new Problem('repeated-parameter', { values: { parameter: parameter.slice(0, 64) } }))
      })
    },
  )
})

/**
 * The media types that the route takes: those that its schema lists in `consumes`, and JSON, which the documents leave
 * out beside a form.
 */
export function accepted(request: FastifyRequest): readonly string[] {
  return [...new Set([...(request.routeOptions.schema?.consumes ?? []), 'application/json'])]
}

/**
 * The first name that stands twice in one object of a JSON text.
 * @param json valid JSON: a string in it that a colon follows is a name, and every other brace opens or closes an object
 */
function repeatedName(json: string): string | undefined {
  const open: Set<unknown>[] = []
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")\s*(:)?|[{}]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (colon !== undefined && text !== undefined) {
      const name: unknown = JSON.parse(text)
      const names = open.at(-1)
      if (names?.has(name)) return String(name)
      names?.add(name)
    }
  }
  return undefined
}
